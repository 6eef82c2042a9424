// SPDX-License-Identifier: BSD-3-Clause
// One byte into a CRC-32 (IEEE 802.3, least significant bit first); combinational.
// Start at all ones, send the complement, least significant byte first. Over a message and its CRC the
// register ends at 32'hDEBB20E3.
module crc32 (
    input  logic [31:0] crc,
    input  logic [ 7:0] idat,
    output logic [31:0] next
);
  always_comb begin
    next = crc;
    for (int i = 0; i < 8; i++) begin
      next = {1'b0, next[31:1]} ^ ((next[0] ^ idat[i]) ? 32'hEDB88320 : 32'h0);
    end
  end
endmodule
