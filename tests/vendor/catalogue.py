# SPDX-License-Identifier: BSD-3-Clause
"""The vendor's IPs that FINN's Zynq shell instantiates, with the pins and parameters that it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.vendor.component import AXIMM, CLOCK, DATA, RESET, Component, Interface, Pin

Config = Mapping[str, str]
ANY = "any AXI"
"""Kind of an interconnect's ports, which adapt to AXI4 and AXI4-Lite and to the partner's width."""


def _pins(*pins: Pin) -> dict[str, Pin]:
    return {pin.name: pin for pin in pins}


def _interfaces(*interfaces: Interface) -> dict[str, Interface]:
    return {interface.name: interface for interface in interfaces}


def _ultrascale_ps(config: Config) -> tuple[dict[str, Interface], dict[str, Pin]]:
    """Masters GP0 and GP1 are on after the board's preset; slaves are off."""
    interfaces, pins = {}, _pins(Pin("pl_clk0", "out", CLOCK), Pin("pl_resetn0", "out", RESET))
    for switch, on, name, mode, width, address in (
        ("PSU__USE__M_AXI_GP0", "1", "M_AXI_HPM0_FPD", "Master", 128, 40),
        ("PSU__USE__M_AXI_GP1", "1", "M_AXI_HPM1_FPD", "Master", 128, 40),
        ("PSU__USE__S_AXI_GP2", "0", "S_AXI_HP0_FPD", "Slave", 128, 49),
        ("PSU__USE__S_AXI_GP3", "0", "S_AXI_HP1_FPD", "Slave", 128, 49),
    ):
        if config.get(switch, on) == "1":
            clock = name.replace("_AXI_", "axi").replace("_", "").lower().replace("fpd", "_fpd_aclk")
            interfaces[name] = Interface(name, AXIMM, mode, width, address, clock)
            pins[clock] = Pin(clock, "in", CLOCK)
    return interfaces, pins


def _zynq_7000_ps(config: Config) -> tuple[dict[str, Interface], dict[str, Pin]]:
    pins = _pins(
        Pin("FCLK_CLK0", "out", CLOCK), Pin("FCLK_RESET0_N", "out", RESET), Pin("M_AXI_GP0_ACLK", "in", CLOCK)
    )
    interfaces = _interfaces(Interface("M_AXI_GP0", AXIMM, "Master", 32, 32, "M_AXI_GP0_ACLK"))
    if config.get("PCW_USE_S_AXI_HP0") == "1":
        pins["S_AXI_HP0_ACLK"] = Pin("S_AXI_HP0_ACLK", "in", CLOCK)
        interfaces["S_AXI_HP0"] = Interface("S_AXI_HP0", AXIMM, "Slave", 64, 32, "S_AXI_HP0_ACLK")
    return interfaces, pins


def _axi_interconnect(config: Config) -> tuple[dict[str, Interface], dict[str, Pin]]:
    sides = [f"S{i:02}" for i in range(int(config.get("NUM_SI", "1")))]
    masters = [f"M{i:02}" for i in range(int(config.get("NUM_MI", "2")))]
    pins = _pins(Pin("ACLK", "in", CLOCK), Pin("ARESETN", "in", RESET))
    interfaces = {}
    for side in (*sides, *masters):
        mode = "Slave" if side in sides else "Master"
        interfaces[f"{side}_AXI"] = Interface(f"{side}_AXI", ANY, mode, 0, 0, f"{side}_ACLK")
        pins[f"{side}_ACLK"] = Pin(f"{side}_ACLK", "in", CLOCK)
        pins[f"{side}_ARESETN"] = Pin(f"{side}_ARESETN", "in", RESET)
    return interfaces, pins


def _smartconnect(config: Config) -> tuple[dict[str, Interface], dict[str, Pin]]:
    slaves = [f"S{i:02}_AXI" for i in range(int(config.get("NUM_SI", "2")))]
    pins = _pins(Pin("aclk", "in", CLOCK), Pin("aresetn", "in", RESET))
    interfaces = {name: Interface(name, ANY, "Slave", 0, 0, "aclk") for name in slaves}
    return interfaces | _interfaces(Interface("M00_AXI", ANY, "Master", 0, 0, "aclk")), pins


def _clocking_wizard(config: Config) -> tuple[dict[str, Interface], dict[str, Pin]]:
    pins = _pins(Pin("clk_in1", "in", CLOCK), Pin("clk_out1", "out", CLOCK))
    if config.get("USE_LOCKED", "true") == "true":
        pins["locked"] = Pin("locked", "out", DATA)
    if config.get("USE_RESET", "true") == "true":
        reset = config.get("RESET_PORT", "reset")
        pins[reset] = Pin(reset, "in", RESET)
    return {}, pins


def _reset_block(config: Config) -> tuple[dict[str, Interface], dict[str, Pin]]:
    del config
    return {}, _pins(
        Pin("slowest_sync_clk", "in", CLOCK),
        Pin("ext_reset_in", "in", RESET),
        Pin("dcm_locked", "in", DATA),
        Pin("aux_reset_in", "in", RESET, optional=True),
        Pin("mb_debug_sys_rst", "in", RESET, optional=True),
        Pin("interconnect_aresetn", "out", RESET),
        Pin("peripheral_aresetn", "out", RESET),
    )


Maker = Callable[[Config], tuple[dict[str, Interface], dict[str, Pin]]]

VENDOR: dict[str, tuple[Maker, tuple[str, ...]]] = {
    "xilinx.com:ip:zynq_ultra_ps_e:3.4": (
        _ultrascale_ps,
        (
            "PSU__USE__S_AXI_GP2",
            "PSU__USE__S_AXI_GP3",
            "PSU__USE__M_AXI_GP0",
            "PSU__USE__M_AXI_GP1",
            "PSU__OVERRIDE__BASIC_CLOCK",
            "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ",
        ),
    ),
    "xilinx.com:ip:processing_system7:5.5": (
        _zynq_7000_ps,
        ("PCW_USE_S_AXI_HP0", "PCW_FPGA0_PERIPHERAL_FREQMHZ"),
    ),
    "xilinx.com:ip:axi_interconnect:2.1": (_axi_interconnect, ("NUM_SI", "NUM_MI")),
    "xilinx.com:ip:smartconnect:1.0": (_smartconnect, ("NUM_SI",)),
    "xilinx.com:ip:clk_wiz:6.0": (
        _clocking_wizard,
        (
            "PRIM_IN_FREQ.VALUE_SRC",
            "PRIM_SOURCE",
            "PRIMITIVE",
            "CLKOUT1_REQUESTED_OUT_FREQ",
            "USE_LOCKED",
            "USE_RESET",
            "RESET_TYPE",
            "RESET_PORT",
        ),
    ),
    "xilinx.com:ip:proc_sys_reset:5.0": (_reset_block, ()),
}
"""VLNV -> what makes interfaces and pins from a configuration, and the known parameters."""


def vendor_component(vlnv: str, config: Config) -> Component:
    """A vendor's IP in a configuration."""
    make, parameters = VENDOR[vlnv]
    interfaces, pins = make(config)
    return Component(vlnv, interfaces, pins, set(parameters))
