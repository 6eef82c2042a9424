# SPDX-License-Identifier: BSD-3-Clause
"""The host link's modules, each by itself, under random pauses."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import StreamPort
from finn_flirnn.driver.frames import LOADED, Frame, FrameReader, FrameType, LoadStatus, Piece
from finn_flirnn.rtl import link_sources
from finn_flirnn.sim import VerilatedModel, simulate
from tests.rtl.harness import STALLS, raw, run, wrap

PHASE = 24


def step(cycles_a_bit: float) -> int:
    """STEP of the UARTs."""
    return round(2**PHASE / cycles_a_bit)


def byte_port(name: str) -> StreamPort:
    return StreamPort(name, 1, raw(8))


def byte_model(folder: Path, name: str, body: str, bits: int = 8) -> VerilatedModel:
    """Words of ``bits`` bits in, bytes out."""
    source = StreamPort("in0_V", 1, raw(bits))
    return wrap(folder, name, [source], [byte_port("out0_V")], body, more=link_sources())


def line(cycles_sent: float, cycles_received: float) -> str:
    """A transmitter and a receiver, whose clocks need not agree."""
    return f"""  logic txd, vld, err, full, unused_err;
  logic [7:0] dat;
  uart_transmit #(.STEP({step(cycles_sent)})) u_tx (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(in0_V_dat), .ivld(in0_V_TVALID), .irdy(in0_V_TREADY), .txd(txd));
  uart_receive #(.STEP({step(cycles_received)})) u_rx (
      .clk(ap_clk), .rst_n(ap_rst_n), .rxd(txd), .odat(dat), .ovld(vld), .oerr(err));
  stream_fifo #(.WIDTH(8), .DEPTH(512)) u_fifo (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(dat), .ivld(vld), .irdy(full),
      .odat(out0_V_dat), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY));
  assign unused_err = &{{1'b0, err, full}};"""


@pytest.mark.parametrize(
    ("sent", "received"),
    [(5.0, 5.0), (50e6 / 3e6, 50e6 / 3e6), (50, 51)],
)
def test_uart_carries_every_byte_although_the_two_clocks_differ(
    tmp_path: Path, sent: float, received: float
) -> None:
    model = byte_model(tmp_path, "t_uart", line(sent, received))
    data = np.random.default_rng(3).permutation(256).reshape(-1, 1)
    for stalls in STALLS:
        assert (run(model, data, len(data), stalls) == data).all()


def pin_model(folder: Path, cycles_a_bit: float) -> VerilatedModel:
    """The receiver alone: single bits as the pin sees them, a bit a cycle; out come bytes and faults."""
    body = f"""  logic [7:0] dat;
  logic vld, err, full, unused_full, pin;
  assign in0_V_TREADY = 1'b1;
  always_ff @(posedge ap_clk) pin <= in0_V_TVALID ? in0_V_dat[0] : 1'b1;
  uart_receive #(.STEP({step(cycles_a_bit)})) u_rx (
      .clk(ap_clk), .rst_n(ap_rst_n), .rxd(pin), .odat(dat), .ovld(vld), .oerr(err));
  stream_fifo #(.WIDTH(8), .DEPTH(64)) u_fifo (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(err ? 8'hEE : dat), .ivld(vld || err), .irdy(full),
      .odat(out0_V_dat), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY));
  assign unused_full = &{{1'b0, full}};"""
    return byte_model(folder, "t_pin", body, bits=1)


def frame_bits(byte: int) -> list[int]:
    return [0, *(byte >> i & 1 for i in range(8)), 1]


@pytest.mark.parametrize("error", [-0.03, 0.0, 0.03])
def test_receiver_reads_a_line_that_is_three_percent_off(tmp_path: Path, error: float) -> None:
    cycles = 16.67
    data = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, 0x7E]
    bits = [1, 1, *(bit for byte in data for bit in frame_bits(byte)), 1, 1]
    length = cycles * (1 + error)
    pin = [bits[int(i / length)] for i in range(int(len(bits) * length))]
    given = run(pin_model(tmp_path, cycles), np.array(pin).reshape(-1, 1), len(data))
    assert given[:, 0].tolist() == data


def test_receiver_ignores_glitches_and_reports_a_missing_stop_bit_once(tmp_path: Path) -> None:
    idle, wide = [1] * 40, 8
    glitch = [*idle, 0, *idle, 0, 0, *idle]  # shorter than half a bit
    good = [bit for bit in frame_bits(0x3C) for _ in range(wide)]
    broken = [0] * (wide * 30)  # a break: low for three bytes
    pin = [*glitch, *good, *idle, *broken, *idle, *good, *idle]
    given = run(pin_model(tmp_path, wide), np.array(pin).reshape(-1, 1), 3)
    assert given[:, 0].tolist() == [0x3C, 0xEE, 0x3C]


def test_crc_register_holds_the_checksum_after_each_byte(tmp_path: Path) -> None:
    body = """  logic [31:0] crc, next;
  crc32 u_it (.crc(crc), .idat(in0_V_dat), .next(next));
  assign in0_V_TREADY = out0_V_TREADY;
  assign out0_V_TVALID = in0_V_TVALID;
  assign out0_V_dat = ~next;
  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) crc <= '1;
    else if (in0_V_TVALID && in0_V_TREADY) crc <= next;
  end"""
    ports = [byte_port("in0_V")], [StreamPort("out0_V", 1, raw(32))]
    model = wrap(tmp_path, "t_crc", *ports, body, more=link_sources())
    data = np.random.default_rng(4).integers(0, 256, 300)
    given = run(model, data.reshape(-1, 1), len(data))[:, 0]
    assert given.tolist() == [zlib.crc32(bytes(data[: i + 1].tolist())) for i in range(len(data))]


COMMIT, REWIND = 1 << 8, 1 << 9
BUFFER = """  logic [2:0] wait_room;
  logic room, open;
  assign in0_V_TREADY = open || (room && wait_room == '0);
  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) begin
      open <= 1'b0;
      wait_room <= '1;
    end else begin
      if (wait_room != '0) wait_room <= wait_room - 1'b1;
      if (in0_V_TVALID && in0_V_TREADY) open <= in0_V_dat[9:8] == '0;
      if (in0_V_TVALID && in0_V_TREADY && in0_V_dat[9:8] != '0) wait_room <= '1;
    end
  end
  logic push;
  assign push = in0_V_TVALID && in0_V_TREADY;
  link_buffer #(.DEPTH(16), .FRAME(7)) u_it (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(in0_V_dat[7:0]), .ivld(push && in0_V_dat[9:8] == '0),
      .commit(push && in0_V_dat[8]), .rewind(push && in0_V_dat[9]), .room(room),
      .odat(out0_V_dat), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY));"""


def test_buffer_gives_committed_frames_only(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    words, kept = [], []
    for _ in range(200):
        frame = rng.integers(0, 256, rng.integers(1, 8)).tolist()
        right = bool(rng.integers(2))
        words += [*frame, COMMIT if right else REWIND]
        kept += frame if right else []
    model = byte_model(tmp_path, "t_buffer", BUFFER, bits=10)
    for stalls in STALLS:
        assert run(model, np.array(words).reshape(-1, 1), len(kept), stalls)[:, 0].tolist() == kept


FRAME, IDLE, CYCLES_A_BIT = 6, 2000, 8
IDENTITY = bytes(range(1, 8))
LENGTHS = {FrameType.IDENTITY: len(IDENTITY), FrameType.RESULT: FRAME, FrameType.REFUSAL: 1}
LENGTHS |= {FrameType.LOADED: LOADED.size}
SILENCE, BREAK = 1 << 8, 1 << 9
LINK = f"""  logic host_txd, rxd, txd, vld, err, irdy, full, busy, bad, ivld, ovld;
  logic core_vld, core_rdy, back_vld, back_rdy, unused_it;
  logic [15:0] core_dat, back_dat;
  logic [7:0] dat;
  logic [12:0] silence;
  logic dark;
  // a word is a byte, or a silence, or a line held low
  assign in0_V_TREADY = irdy && silence == '0;
  assign ivld = in0_V_TVALID && silence == '0 && in0_V_dat[9:8] == '0;
  assign rxd = host_txd && !dark;
  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) begin
      silence <= '0;
      dark <= 1'b0;
    end else begin
      if (silence != '0) silence <= silence - 1'b1;
      else dark <= 1'b0;
      if (in0_V_TVALID && in0_V_TREADY && in0_V_dat[8]) silence <= '1;
      if (in0_V_TVALID && in0_V_TREADY && in0_V_dat[9]) begin
        silence <= 13'd{30 * CYCLES_A_BIT};
        dark <= 1'b1;
      end
    end
  end
  uart_transmit #(.STEP({step(CYCLES_A_BIT)})) u_tx (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(in0_V_dat[7:0]), .ivld(ivld), .irdy(irdy), .txd(host_txd));
  // in place of the loader: counts words, and adds them up
  logic load_vld, load_rdy, restart;
  logic [31:0] load_dat, words, total;
  always_ff @(posedge ap_clk) begin
    load_rdy <= !ap_rst_n ? 1'b0 : !load_rdy;
    if (!ap_rst_n || restart) begin
      words <= '0;
      total <= '0;
    end else if (load_vld && load_rdy) begin
      words <= words + 1'b1;
      total <= total + load_dat;
    end
  end
  link #(
      .LOADS(1'b1), .STEP({step(CYCLES_A_BIT)}), .IDLE({IDLE}), .DEPTH(16), .FRAME({FRAME}),
      .RESULT_BYTES({FRAME}),
      .IN_BYTES(2), .OUT_BYTES(2), .IDENTITY_BYTES({len(IDENTITY)}),
      .IDENTITY({8 * len(IDENTITY)}'h{IDENTITY[::-1].hex()})
  ) u_it (
      .clk(ap_clk), .rst_n(ap_rst_n), .rxd(rxd), .txd(txd),
      .odat(core_dat), .ovld(core_vld), .ordy(core_rdy),
      .idat(back_dat), .ivld(back_vld), .irdy(back_rdy),
      .ldat(load_dat), .lvld(load_vld), .lrdy(load_rdy), .restart(restart), .load_status(words),
      .weights_id(total), .busy(busy), .bad(bad));
  stream_fifo #(.WIDTH(16), .DEPTH(2)) u_core (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(core_dat ^ 16'hFFFF), .ivld(core_vld), .irdy(core_rdy),
      .odat(back_dat), .ovld(back_vld), .ordy(back_rdy));
  uart_receive #(.STEP({step(CYCLES_A_BIT)})) u_rx (
      .clk(ap_clk), .rst_n(ap_rst_n), .rxd(txd), .odat(dat), .ovld(vld), .oerr(err));
  stream_fifo #(.WIDTH(8), .DEPTH(4096)) u_seen (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(dat), .ivld(vld), .irdy(full),
      .odat(out0_V_dat), .ovld(ovld), .ordy(out0_V_TREADY));
  assign out0_V_TVALID = ovld;
  assign unused_it = &{{1'b0, err, full, busy, bad}};"""


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> VerilatedModel:
    return byte_model(tmp_path_factory.mktemp("link"), "t_link", LINK, bits=10)


def converse(link: VerilatedModel, words: list[int], answers: list[Frame], stalls: float = 0.0) -> None:
    """Send words; the answers must come, and nothing else."""
    sent = b"".join(answer.encode() for answer in answers)
    given = simulate(
        link, {"in0_V": np.array(words).reshape(-1, 1)}, {"out0_V": len(sent)}, stalls={"in0_V": stalls}
    )
    data = bytes(given.outputs["out0_V"][:, 0].tolist())
    assert list(FrameReader(LENGTHS).feed(data)) == answers
    assert data == sent


def request(sequence: int) -> Frame:
    payload = np.random.default_rng(sequence).integers(0, 256, FRAME)
    return Frame(FrameType.INFER, sequence, bytes(payload.tolist()))


def result(sequence: int) -> Frame:
    return Frame(FrameType.RESULT, sequence, bytes(byte ^ 0xFF for byte in request(sequence).payload))


def refusal(sequence: int, code: int) -> Frame:
    return Frame(FrameType.REFUSAL, sequence, bytes([code]))


IDENTIFY = Frame(FrameType.IDENTIFY, 99)
IDENTIFIED = Frame(FrameType.IDENTITY, 99, IDENTITY)


@pytest.mark.parametrize("stalls", [0.0, 0.5, 0.98])
def test_link_answers_every_request_in_order(link: VerilatedModel, stalls: float) -> None:
    words = [*IDENTIFY.encode(), *request(0).encode(), *request(255).encode(), *IDENTIFY.encode()]
    converse(link, words, [IDENTIFIED, result(0), result(255), IDENTIFIED], stalls)


@pytest.mark.parametrize("position", range(6, 6 + FRAME + 4))
@pytest.mark.parametrize("bit", [0, 7])
def test_flipped_bit_is_refused_and_the_next_frame_is_right(
    link: VerilatedModel, position: int, bit: int
) -> None:
    damaged = bytearray(request(1).encode())
    damaged[position] ^= 1 << bit
    converse(link, [*damaged, *request(2).encode()], [refusal(1, 1), result(2)])


@pytest.mark.parametrize("position", range(6, 6 + FRAME + 4))
def test_lost_byte_costs_a_refusal_and_no_half_frame_reaches_the_core(
    link: VerilatedModel, position: int
) -> None:
    damaged = request(3).encode()
    words = [*damaged[:position], *damaged[position + 1 :], SILENCE, *request(4).encode()]
    converse(link, words, [refusal(3, 5), result(4)])


def test_lost_byte_before_another_frame_is_recovered_after_it(link: VerilatedModel) -> None:
    damaged = request(5).encode()[:-1]  # the next frame's first byte is taken for the last of the CRC
    words = [*damaged, *request(6).encode(), SILENCE, *request(7).encode()]
    converse(link, words, [refusal(5, 1), result(7)])


def test_header_that_cannot_be_is_refused_at_once(link: VerilatedModel) -> None:
    unknown = Frame(0x33, 8).encode()[:6]
    long = Frame(FrameType.INFER, 9, bytes(FRAME + 1)).encode()[:6]
    told = Frame(FrameType.IDENTIFY, 10, b"?").encode()[:6]
    words = [*unknown, *long, *told, *request(11).encode()]
    converse(link, words, [refusal(8, 3), refusal(9, 2), refusal(10, 2), result(11)])


def test_noise_between_frames_is_passed_over(link: VerilatedModel) -> None:
    words = [0x00, 0xA5, 0xA5, 0x00, 0x5A, 0xFF, 0xA5, *request(12).encode(), 0xA5, SILENCE]
    converse(link, [*words, *request(13).encode()], [result(12), result(13)])


def test_line_held_low_breaks_a_frame_off(link: VerilatedModel) -> None:
    words = [*request(14).encode()[:9], BREAK, SILENCE, *request(15).encode()]
    converse(link, words, [refusal(14, 5), result(15)])


def test_frame_beyond_the_buffer_is_refused_whole(link: VerilatedModel) -> None:
    # a result is as long as its request, so requests pile up only behind the longer identities
    ahead, sequences = 30, range(20, 60)
    words = [*IDENTIFY.encode() * ahead, *(byte for s in sequences for byte in request(s).encode())]
    at_least = ahead * len(IDENTIFIED.encode()) + len(sequences) * len(refusal(0, 4).encode())
    sent = np.array(words).reshape(-1, 1)
    given = simulate(link, {"in0_V": sent}, {"out0_V": at_least}, stalls={}, exact=False)
    answers = list(FrameReader(LENGTHS).feed(bytes(given.outputs["out0_V"][:, 0].tolist())))
    told = {a.sequence: a for a in answers if a.sequence in sequences}
    assert {a.type for a in told.values()} == {FrameType.RESULT, FrameType.REFUSAL}
    for sequence, answer in told.items():
        assert answer in (result(sequence), refusal(sequence, 4))


def piece(sequence: int, offset: int, *words: int) -> bytes:
    return Frame(FrameType.LOAD, sequence, Piece(offset, words).encode()).encode()


def test_pieces_of_an_image_are_taken_once_and_in_order(link: VerilatedModel) -> None:
    rng = np.random.default_rng(6)
    image = [int(word) for word in rng.integers(0, 1 << 32, 70)]
    damaged = bytearray(piece(4, 64, *image[64:]))
    damaged[100] ^= 1
    frames = [
        piece(1, 0, *image[:3]),  # given up by the next one
        piece(2, 0, *image[:64]),
        piece(3, 128, 1),  # one that is not next
        bytes(damaged),
        piece(5, 64, *image[64:]),
        piece(6, 64, *image[64:]),  # again, as if its answer had been lost
        piece(7, 0),
    ]
    sent = np.array([byte for frame in frames for byte in frame]).reshape(-1, 1)
    length = len(Frame(FrameType.LOADED, 0, bytes(LOADED.size)).encode())
    count = (len(frames) - 1) * length + len(refusal(4, 1).encode())
    given = simulate(link, {"in0_V": sent}, {"out0_V": count}).outputs["out0_V"]
    answers = list(FrameReader(LENGTHS).feed(bytes(given[:, 0].tolist())))
    assert answers[3] == refusal(4, 1)
    loaded = [LoadStatus.decode(answer.payload) for answer in (*answers[:3], *answers[4:])]
    assert [status.next for status in loaded] == [3, 64, 64, 70, 70, 70]
    assert (loaded[-1].status, loaded[-1].weights_id) == (70, sum(image) % (1 << 32))
