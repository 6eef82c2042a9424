// SPDX-License-Identifier: BSD-3-Clause
// A Verilated model behind a C interface: ports by number, and whole batches of AXI-Stream transfers.
//
// Expects the Verilated class Vtop and "ports.inc", one line FLIRNN_PORT(name, identifier, bits, input)
// a port. Words are 32 bits, least significant first.
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

thread_local std::string t_directory;  // relative memory files lie here
thread_local std::string t_printed;
thread_local std::string t_missing;

constexpr size_t PRINT_LIMIT = 1 << 16;

struct Port {
    const char* name;
    uint32_t bits;
    bool input;
    uint8_t* data;
    uint32_t words() const { return (bits + 31) / 32; }
    uint32_t bytes() const { return bits <= 8 ? 1 : bits <= 16 ? 2 : 4 * words(); }
};

template <typename T>
uint8_t* address(T& value) {
    return reinterpret_cast<uint8_t*>(&value);
}
template <std::size_t N>
uint8_t* address(VlWide<N>& value) {
    return reinterpret_cast<uint8_t*>(value.data());
}

// xorshift64*: quality is ample for stalls, and it costs nothing beside a model's evaluation
class Random {
    uint64_t m_state;

public:
    Random(uint64_t seed, uint64_t stream) {
        uint64_t z = seed * 0x9E3779B97F4A7C15ull + (stream + 1) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 30)) * 0x94D049BB133111EBull;
        m_state = (z ^ (z >> 31)) | 1;
    }
    uint32_t next() {
        m_state ^= m_state >> 12;
        m_state ^= m_state << 25;
        m_state ^= m_state >> 27;
        return static_cast<uint32_t>((m_state * 0x2545F4914F6CDD1Dull) >> 32);
    }
};

struct Simulation {
    VerilatedContext context;
    std::unique_ptr<Vtop> top;
    std::vector<Port> ports;

    explicit Simulation(int seed) {
        if (seed) {
            context.randReset(2);  // a register without reset starts at random
            context.randSeed(seed);
        }
        top = std::make_unique<Vtop>(&context, "top");
#define FLIRNN_PORT(name, identifier, bits, input) \
    ports.push_back(Port{name, bits, input, address(top->identifier)});
#include "ports.inc"
#undef FLIRNN_PORT
        for (const Port& p : ports) {
            if (p.input) std::memset(p.data, 0, p.bytes());
        }
        eval();
        if (!t_missing.empty()) throw std::runtime_error("memory file " + t_missing + " cannot be read");
    }
    void eval() { top->eval(); }
};

}  // namespace

extern "C" {

int flirnn_printf(const char* format, ...) {
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    const int length = std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (t_printed.size() < PRINT_LIMIT) t_printed += text;
    return length;
}

// The linker sends the runtime's fopen here (--wrap=fopen): $readmemh names are relative to the
// generated module's directory, and a library must not change the process' directory.
FILE* __real_fopen(const char* name, const char* mode);
FILE* __wrap_fopen(const char* name, const char* mode) {
    const std::string path = name[0] == '/' ? std::string(name) : t_directory + "/" + name;
    FILE* const file = __real_fopen(path.c_str(), mode);
    if (!file && t_missing.empty()) t_missing = path;
    return file;
}

}  // extern "C"

// $stop, $error, $fatal and failed assertions end the simulation, not the process.
void vl_fatal(const char* filename, int line, const char*, const char* message) {
    throw std::runtime_error(std::string(filename) + ":" + std::to_string(line) + ": " + message);
}

namespace {

enum Status : int32_t {
    DONE = 0,
    NO_TRANSFER = 1,
    MAX_CYCLES = 2,
    SURPLUS = 3,
    UNSTABLE = 4,
    FAILED = 5,
    FINISHED = 6,
    DONE_BEFORE_RESET = 7,
};

}  // namespace

extern "C" {

// One stream of a run. Inputs: words and last are read; outputs: written.
struct FlirnnStream {
    int32_t data_port, valid_port, ready_port, last_port, input;  // last_port: -1 if there is none
    uint32_t* words;
    uint8_t* last;  // TLAST of each transfer
    uint64_t* stamps;
    int64_t count, done;
    uint32_t stall;    // probability that a pause begins in a cycle, times 2^32
    uint32_t pause;    // a pause lasts 1 to so many cycles
    uint32_t valid, ready;  // as last seen
};

struct FlirnnRun {
    int32_t clock_port, reset_port, streams, exact;
    uint64_t seed;
    int64_t max_cycles, patience, reset_at, reset_cycles, quiet_cycles;
    int64_t cycles;   // result
    int32_t culprit;  // result: stream that broke the protocol
};

}  // extern "C"

namespace {

class Driver {
    Simulation& m_sim;
    FlirnnStream& m_stream;
    const Port m_data, m_valid, m_ready;
    uint8_t* const m_last;
    Random m_random;
    const size_t m_words;
    std::vector<uint32_t> m_current;  // offered, or last seen
    uint8_t m_current_last = 0;
    bool m_offering = false;          // input: TVALID; output: TREADY
    bool m_waiting = false;           // output: offered and not taken in the last cycle
    uint32_t m_pause = 0;             // cycles left of a pause

    static uint32_t mask(uint32_t bits) { return bits % 32 ? (1u << (bits % 32)) - 1 : ~0u; }
    bool stalls() {
        if (m_pause) {
            --m_pause;
            return true;
        }
        if (!m_stream.stall || m_random.next() >= m_stream.stall) return false;
        if (m_stream.pause > 1) m_pause = m_random.next() % m_stream.pause;
        return true;
    }

public:
    Driver(Simulation& sim, FlirnnStream& stream, uint64_t seed, int index)
        : m_sim{sim}
        , m_stream{stream}
        , m_data{sim.ports[stream.data_port]}
        , m_valid{sim.ports[stream.valid_port]}
        , m_ready{sim.ports[stream.ready_port]}
        , m_last{stream.last_port < 0 ? nullptr : sim.ports[stream.last_port].data}
        , m_random{seed, static_cast<uint64_t>(index)}
        , m_words{m_data.words()}
        , m_current(m_words) {}

    bool complete() const { return m_stream.done >= m_stream.count; }

    void rewind() {
        m_stream.done = 0;
        m_offering = m_waiting = false;
        m_pause = 0;
        *(m_stream.input ? m_valid : m_ready).data = 0;
    }

    // Before an evaluation with the clock low: what this side drives in the coming cycle.
    void drive() {
        if (m_stream.input) {
            if (!m_offering) {
                m_offering = !complete() && !stalls();
                if (m_offering) {
                    std::memcpy(m_current.data(), m_stream.words + m_stream.done * m_words, 4 * m_words);
                    m_current_last = m_last && m_stream.last[m_stream.done];
                } else if (m_stream.stall) {
                    // data without TVALID means nothing: let it be anything
                    for (uint32_t& word : m_current) word = m_random.next();
                    m_current.back() &= mask(m_data.bits);
                    m_current_last = m_random.next() & 1;
                }
                std::memcpy(m_data.data, m_current.data(), m_data.bytes());
                if (m_last) *m_last = m_current_last;
            }
            *m_valid.data = m_offering;
        } else {
            m_offering = !stalls();
            *m_ready.data = m_offering;
        }
    }

    // After that evaluation, before the rising edge. Returns true if a transfer happens.
    bool sample(int64_t cycle, bool exact, int32_t& status) {
        m_stream.valid = *m_valid.data;
        m_stream.ready = *m_ready.data;
        const bool transfer = m_stream.valid && m_stream.ready;
        if (m_stream.input) {
            if (!transfer) return false;
            m_stream.stamps[m_stream.done++] = cycle;
            m_offering = false;
            return true;
        }
        if (m_waiting
            && (!m_stream.valid || std::memcmp(m_current.data(), m_data.data, m_data.bytes()) != 0
                || (m_last && *m_last != m_current_last))) {
            status = UNSTABLE;
            return false;
        }
        m_waiting = m_stream.valid && !transfer;
        if (m_waiting) {
            std::memcpy(m_current.data(), m_data.data, m_data.bytes());
            if (m_last) m_current_last = *m_last;
        }
        if (m_stream.valid && complete() && exact) {
            status = SURPLUS;
            return false;
        }
        if (!transfer) return false;
        if (!complete()) {
            uint32_t* const out = m_stream.words + m_stream.done * m_words;
            out[0] = 0;
            std::memcpy(out, m_data.data, m_data.bytes());
            if (m_last) m_stream.last[m_stream.done] = *m_last;
            m_stream.stamps[m_stream.done++] = cycle;
        }
        return true;
    }
};

void reset(Simulation& sim, const FlirnnRun& run, std::vector<Driver>& drivers) {
    uint8_t* const clock = sim.ports[run.clock_port].data;
    uint8_t* const reset_n = sim.ports[run.reset_port].data;
    for (Driver& d : drivers) d.rewind();
    *reset_n = 0;
    for (int64_t cycle = 0; cycle < run.reset_cycles; ++cycle) {
        sim.eval();
        *clock = 1;
        sim.eval();
        *clock = 0;
    }
    *reset_n = 1;
}

int32_t run_streams(Simulation& sim, FlirnnStream* streams, FlirnnRun& run) {
    std::vector<Driver> drivers;
    for (int i = 0; i < run.streams; ++i) drivers.emplace_back(sim, streams[i], run.seed, i);
    uint8_t* const clock = sim.ports[run.clock_port].data;
    reset(sim, run, drivers);
    bool reset_due = run.reset_at >= 0;
    int64_t idle = 0;
    int64_t quiet = 0;
    int64_t& cycle = run.cycles;
    for (cycle = 0;;) {
        if (reset_due && cycle == run.reset_at) {
            reset(sim, run, drivers);
            reset_due = false;
            cycle = idle = quiet = 0;
        }
        for (Driver& d : drivers) d.drive();
        sim.eval();
        int32_t status = DONE;
        bool any = false;
        bool all = true;
        for (int i = 0; i < run.streams; ++i) {
            any |= drivers[i].sample(cycle, run.exact, status);
            if (status != DONE) {
                run.culprit = i;
                return status;
            }
            all &= drivers[i].complete() || (!run.exact && streams[i].input);
        }
        *clock = 1;
        sim.eval();
        *clock = 0;
        if (sim.context.gotFinish()) return FINISHED;
        ++cycle;
        if (all) {
            if (reset_due) return DONE_BEFORE_RESET;
            if (!run.exact || quiet == run.quiet_cycles) {
                cycle -= quiet;
                return DONE;
            }
            ++quiet;
            continue;
        }
        idle = any ? 0 : idle + 1;
        if (idle > run.patience) return NO_TRANSFER;
        if (run.max_cycles >= 0 && cycle >= run.max_cycles) return MAX_CYCLES;
    }
}

void report(const std::string& text, char* message, size_t size) {
    std::snprintf(message, size, "%s%s", t_printed.c_str(), text.c_str());
}

}  // namespace

extern "C" {

// A model with its initial blocks run, or null and a message. Memory files are read from directory.
// seed: of the start values of registers without reset; 0: they start at zero.
void* flirnn_open(const char* directory, int32_t seed, char* message, uint64_t size) {
    t_directory = directory;
    t_printed.clear();
    t_missing.clear();
    try {
        return new Simulation(seed);
    } catch (const std::exception& error) {
        report(error.what(), message, size);
        return nullptr;
    }
}

void flirnn_close(void* handle) { delete static_cast<Simulation*>(handle); }

void flirnn_read(void* handle, int32_t port, uint32_t* words) {
    const Port& p = static_cast<Simulation*>(handle)->ports[port];
    words[0] = 0;
    std::memcpy(words, p.data, p.bytes());
}

void flirnn_write(void* handle, int32_t port, const uint32_t* words) {
    const Port& p = static_cast<Simulation*>(handle)->ports[port];
    std::memcpy(p.data, words, p.bytes());
}

int32_t flirnn_eval(void* handle, char* message, uint64_t size) {
    t_printed.clear();
    try {
        static_cast<Simulation*>(handle)->eval();
        return DONE;
    } catch (const std::exception& error) {
        report(error.what(), message, size);
        return FAILED;
    }
}

int32_t flirnn_run(void* handle, FlirnnStream* streams, FlirnnRun* run, char* message, uint64_t size) {
    t_printed.clear();
    try {
        return run_streams(*static_cast<Simulation*>(handle), streams, *run);
    } catch (const std::exception& error) {
        report(error.what(), message, size);
        return FAILED;
    }
}

}  // extern "C"
