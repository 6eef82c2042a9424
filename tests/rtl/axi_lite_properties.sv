// SPDX-License-Identifier: BSD-3-Clause
// What holds for control_registers as an AXI4-Lite slave, whatever the master and the loader do: an answer
// waits unchanged, and is given once for every address and datum, never before them (STABLE); a write is
// answered within WAIT + 2 cycles of readiness (ALIVE); what is read is what the map says, and the scratch
// register is what was last written there (RIGHT). The design begins with a reset; more may follow.
module axi_lite_properties #(
    parameter int WAIT = 3,
    parameter bit STABLE = 1'b1,
    parameter bit ALIVE = 1'b1,
    parameter bit RIGHT = 1'b1
) (
    input logic        clk,
    input logic        rst_n,
    input logic [11:0] awaddr,
    input logic        awvalid,
    input logic [31:0] wdata,
    input logic [ 3:0] wstrb,
    input logic        wvalid,
    input logic        bready,
    input logic [11:0] araddr,
    input logic        arvalid,
    input logic        rready,
    input logic        ordy,
    input logic        taken
);
  localparam logic [63:0] BUILD = 64'h0123456789ABCDEF;
  logic awready, wready, bvalid, arready, rvalid, ovld, load_restart;
  logic [1:0] bresp, rresp;
  logic [31:0] rdata, odat, rdata_before, odat_before, scratch, value;
  logic [11:0] write_address, read_address;
  logic [3:0] strobes, age;
  logic [1:0] addresses, words, reads;
  logic started, b_waits, r_waits, o_waits, running, full;

  control_registers #(.LOADS(1'b1), .WAIT(WAIT)) u_it (
      .clk(clk), .rst_n(rst_n), .build(BUILD),
      .awaddr(awaddr), .awvalid(awvalid), .awready(awready),
      .wdata(wdata), .wstrb(wstrb), .wvalid(wvalid), .wready(wready),
      .bresp(bresp), .bvalid(bvalid), .bready(bready),
      .araddr(araddr), .arvalid(arvalid), .arready(arready),
      .rdata(rdata), .rresp(rresp), .rvalid(rvalid), .rready(rready),
      .taken(taken), .given(1'b0), .odat(odat), .ovld(ovld), .ordy(ordy),
      .load_restart(load_restart), .load_status(32'h5A5A5A5A), .weights_id(32'hA5A5A5A5)
  );

  assign full = !awready && !wready;

  initial started = 1'b0;
  always_ff @(posedge clk) begin
    started <= 1'b1;
    running <= rst_n;
    b_waits <= rst_n && bvalid && !bready;
    r_waits <= rst_n && rvalid && !rready;
    o_waits <= rst_n && ovld && !ordy;
    rdata_before <= rdata;
    odat_before  <= odat;
    if (!rst_n) begin
      addresses <= '0;
      words     <= '0;
      reads     <= '0;
      age       <= '0;
      scratch   <= '0;
    end else begin
      addresses <= addresses + 2'(awvalid && awready) - 2'(bvalid && bready);
      words     <= words + 2'(wvalid && wready) - 2'(bvalid && bready);
      reads     <= reads + 2'(arvalid && arready) - 2'(rvalid && rready);
      age       <= (full && bready) ? age + 1'b1 : '0;
      if (awvalid && awready) write_address <= awaddr;
      if (wvalid && wready) {strobes, value} <= {wstrb, wdata};
      if (arvalid && arready) read_address <= araddr;
      // a whole word written to the scratch register counts from its answer on
      if (full && (!bvalid || bready) && write_address[11:2] == 10'h005)
        for (int i = 0; i < 4; i++) if (strobes[i]) scratch[8*i +: 8] <= value[8*i +: 8];
    end
  end

  always_comb begin
    if (!started) assume (!rst_n);
    if (STABLE && started && running && rst_n) begin
      if (b_waits) assert (bvalid);
      if (r_waits) assert (rvalid && rdata == rdata_before);
      if (o_waits && !load_restart) assert (ovld && odat == odat_before);
      if (load_restart) assert (!ovld);
      assert (bresp == '0 && rresp == '0);
      assert (addresses == 2'(!awready) + 2'(bvalid));
      assert (words == 2'(!wready) + 2'(bvalid));
      assert (reads == 2'(!arready) + 2'(rvalid));
    end
    if (ALIVE && started && running && rst_n) assert (age <= 4'(WAIT + 2));
    if (RIGHT && started && running && rst_n && rvalid && arready) begin
      // no newer address has come: this is the answer to read_address
      case (read_address[11:2])
        10'h000: assert (rdata == 32'h4E524C46);
        10'h001: assert (rdata == 32'd1);
        10'h002: assert (rdata == 32'h89ABCDEF);
        10'h003: assert (rdata == 32'h01234567);
        10'h004: assert (rdata[31:2] == '0 && rdata[0]);
        10'h009: assert (rdata == 32'h5A5A5A5A);
        10'h00A: assert (rdata == 32'hA5A5A5A5);
        default: if (read_address[11:2] > 10'h00D) assert (rdata == '0);
      endcase
      if (read_address[11:2] == 10'h005 && !r_waits) assert (rdata == scratch_before);
    end
  end

  logic [31:0] scratch_before;
  always_ff @(posedge clk) scratch_before <= scratch;
endmodule
