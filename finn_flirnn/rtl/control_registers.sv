// SPDX-License-Identifier: BSD-3-Clause
// Registers of an accelerator on a 32-bit AXI4-Lite slave; docs/registers.md has the map.
// All outputs come from registers. Address and data of a write may come in either order; one write and
// one read are under way at a time. Every answer is OKAY: a processor may take an error as fatal.
// A write to the load register is answered when the word before it has left through odat/ovld/ordy. After
// WAIT cycles it is answered all the same and the word dropped, so that the bus never stands still.
// build: the build identifier, a constant. taken, given: a group has entered, a group has left. load_restart is high for one cycle, with ovld low.
module control_registers #(
    parameter bit LOADS = 1'b0,
    parameter int WAIT = 65536
) (
    input  logic        clk,
    input  logic        rst_n,
    input  logic [63:0] build,
    input  logic [11:0] awaddr,
    input  logic        awvalid,
    output logic        awready,
    input  logic [31:0] wdata,
    input  logic [ 3:0] wstrb,
    input  logic        wvalid,
    output logic        wready,
    output logic [ 1:0] bresp,
    output logic        bvalid,
    input  logic        bready,
    input  logic [11:0] araddr,
    input  logic        arvalid,
    output logic        arready,
    output logic [31:0] rdata,
    output logic [ 1:0] rresp,
    output logic        rvalid,
    input  logic        rready,
    input  logic        taken,
    input  logic        given,
    output logic [31:0] odat,
    output logic        ovld,
    input  logic        ordy,
    output logic        load_restart,
    input  logic [31:0] load_status,
    input  logic [31:0] weights_id
);
  localparam logic [31:0] MAGIC = 32'h4E524C46, VERSION = 32'd1;
  // a register's address in words
  localparam logic [9:0] AT_MAGIC = 10'h0, AT_VERSION = 10'h1, AT_BUILD_LOW = 10'h2, AT_BUILD_HIGH = 10'h3;
  localparam logic [9:0] AT_FLAGS = 10'h4, AT_SCRATCH = 10'h5, AT_TAKEN = 10'h6, AT_GIVEN = 10'h7;
  localparam logic [9:0] AT_LOAD = 10'h8, AT_STATUS = 10'h9, AT_WEIGHTS = 10'hA, AT_CONTROL = 10'hB;
  localparam logic [9:0] AT_CYCLES_LOW = 10'hC, AT_CYCLES_HIGH = 10'hD;
  localparam int PATIENCE = $clog2(WAIT + 1);

  logic [9:0] waddr, raddr;
  logic [31:0] word, scratch, groups_taken, groups_given, cycles_high;
  logic [63:0] cycles;
  logic [3:0] strobes;
  logic [PATIENCE-1:0] waited;
  logic has_waddr, has_word, has_raddr, dropped;
  logic write, read, loads, restarts, stuck, late;
  logic unused;

  assign awready = !has_waddr;
  assign wready = !has_word;
  assign arready = !has_raddr;
  assign bresp = 2'b00;
  assign rresp = 2'b00;
  assign unused = &{1'b0, awaddr[1:0], araddr[1:0]};

  assign loads = LOADS && waddr == AT_LOAD && strobes == '1;
  assign restarts = LOADS && waddr == AT_CONTROL && strobes == '1 && word[0];
  assign stuck = loads && ovld && !ordy;
  assign late = waited == PATIENCE'(WAIT);
  assign write = has_waddr && has_word && (!bvalid || bready) && (!stuck || late);
  assign read = has_raddr && (!rvalid || rready);

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      has_waddr    <= 1'b0;
      has_word     <= 1'b0;
      has_raddr    <= 1'b0;
      bvalid       <= 1'b0;
      rvalid       <= 1'b0;
      ovld         <= 1'b0;
      load_restart <= 1'b0;
      dropped      <= 1'b0;
      waited       <= '0;
      scratch      <= '0;
      groups_taken <= '0;
      groups_given <= '0;
      cycles       <= '0;
    end else begin
      has_waddr <= has_waddr ? !write : awvalid;
      has_word  <= has_word ? !write : wvalid;
      has_raddr <= has_raddr ? !read : arvalid;
      bvalid    <= write || (bvalid && !bready);
      rvalid    <= read || (rvalid && !rready);
      if (!has_waddr || !has_word || !stuck) waited <= '0;
      else if (!late) waited <= waited + 1'b1;
      // a restart also withdraws the word that waits
      ovld         <= (write && loads) || (ovld && !ordy && !(write && restarts));
      load_restart <= write && restarts;
      if (write && restarts) dropped <= 1'b0;
      else if (write && stuck) dropped <= 1'b1;
      if (write && waddr == AT_SCRATCH)
        for (int i = 0; i < 4; i++) if (strobes[i]) scratch[8*i +: 8] <= word[8*i +: 8];
      if (taken) groups_taken <= groups_taken + 1'b1;
      if (given) groups_given <= groups_given + 1'b1;
      cycles <= cycles + 1'b1;
    end
  end

  always_ff @(posedge clk) begin
    if (awready) waddr <= awaddr[11:2];
    if (wready) {strobes, word} <= {wstrb, wdata};
    if (arready) raddr <= araddr[11:2];
    if (write && loads && !stuck) odat <= word;
    if (read) begin
      case (raddr)
        AT_MAGIC: rdata <= MAGIC;
        AT_VERSION: rdata <= VERSION;
        AT_BUILD_LOW: rdata <= build[31:0];
        AT_BUILD_HIGH: rdata <= build[63:32];
        AT_FLAGS: rdata <= {30'd0, dropped, LOADS};
        AT_SCRATCH: rdata <= scratch;
        AT_TAKEN: rdata <= groups_taken;
        AT_GIVEN: rdata <= groups_given;
        AT_STATUS: rdata <= LOADS ? load_status : '0;
        AT_WEIGHTS: rdata <= LOADS ? weights_id : '0;
        AT_CYCLES_LOW: rdata <= cycles[31:0];
        AT_CYCLES_HIGH: rdata <= cycles_high;
        default: rdata <= '0;
      endcase
      if (raddr == AT_CYCLES_LOW) cycles_high <= cycles[63:32];
    end
  end
endmodule
