import SIMT
import Testing

/// Runs one instruction over tables of operands, in every form that a handler has.
struct OperationTable {
    /// What the instruction gave in each lane.
    struct Outcome {
        var full: [UInt64]
        /// Run for lanes whose bit of `guardMask` is set; others keep `sentinel`.
        var guarded: [UInt64]
        /// Run with the result in the register of the first source, where widths allow it.
        var aliased: [UInt64]?
        /// Run for no lane.
        var skipped: [UInt64]
    }

    static let sentinel: UInt64 = 0x5a5a_a5a5_5a5a_a5a5
    static let guardMask: UInt32 = 0x5bad_c0de

    /// The PTX types of d, a, b and c as memory holds them: b8, b16, b32 or b64.
    let types: [String]
    /// With `$d`, `$a`, `$b` and `$c` for operands.
    let instruction: String

    /// Several instructions, before which no guard can stand: only the full form runs.
    let isBlock: Bool

    init(_ instruction: String, _ types: String..., isBlock: Bool = false) {
        self.instruction = instruction
        self.types = types
        self.isBlock = isBlock
    }

    private static func size(_ type: String) -> Int {
        switch type {
        case "b8": 1
        case "b16": 2
        case "b32": 4
        default: 8
        }
    }

    private static func registerType(_ type: String) -> String { type == "b8" ? "b16" : type }

    private func line(_ result: String, prefix: String = "") -> String {
        var text = instruction.replacing("$d", with: result)
        for (index, name) in ["$a", "$b", "$c", "$e"].enumerated() where index + 1 < types.count {
            text = text.replacing(name, with: "%x\(index)")
        }
        return prefix + text
    }

    private var canAlias: Bool {
        !isBlock && types.count > 1 && Self.registerType(types[0]) == Self.registerType(types[1])
    }

    private var text: String {
        let type = types[0]
        let size = Self.size(type)
        var body = ""
        for (index, source) in types.dropFirst().enumerated() {
            body += ".reg .\(Self.registerType(source)) %x\(index);\n"
        }
        body += ".reg .\(Self.registerType(type)) %y<4>;\n"
        body += "mov.u32 %r0, %tid.x;\nmov.u32 %r1, %laneid;\n"
        body += "mov.u32 %r2, \(Self.guardMask);\nshr.u32 %r3, %r2, %r1;\nand.b32 %r3, %r3, 1;\n"
        body += "setp.eq.u32 %q0, %r3, 1;\nsetp.gt.u32 %q1, %r0, 100000;\n"
        for (index, source) in types.dropFirst().enumerated() {
            body += "mul.wide.u32 %d0, %r0, \(Self.size(source));\nadd.s64 %d1, %p\(index + 1), %d0;\n"
            body += "ld.global.\(source) %x\(index), [%d1];\n"
        }
        let wide = Self.registerType(type) == "b64"
        let fill = wide ? "0x5a5aa5a55a5aa5a5" : Self.registerType(type) == "b16" ? "0xa5a5" : "0x5a5aa5a5"
        body += "mov.\(Self.registerType(type)) %y1, \(fill);\nmov.\(Self.registerType(type)) %y2, \(fill);\n"
        body += line("%y0") + "\n"
        if !isBlock { body += line("%y1", prefix: "@%q0 ") + "\n" + line("%y2", prefix: "@%q1 ") + "\n" }
        if canAlias { body += line("%x0") + "\nmov.\(Self.registerType(type)) %y3, %x0;\n" }
        body += "mul.wide.u32 %d0, %r0, \(size * 4);\nadd.s64 %d1, %p0, %d0;\n"
        for index in 0..<4 where index < 3 || canAlias {
            body += "st.global.\(type) [%d1+\(index * size)], %y\(index);\n"
        }
        return kernelText(types.count, body)
    }

    /// Runs the instruction on the values; there are as many threads as values of each operand.
    func run(_ sources: [[UInt64]], on machine: Machine) throws -> Outcome {
        let count = sources[0].count
        let size = Self.size(types[0])
        let output = try machine.allocate(count * size * 4)
        var arguments: [UInt64] = [output]
        for (index, values) in sources.enumerated() {
            let bytes = values.flatMap { value in
                withUnsafeBytes(of: value) { Array($0.prefix(Self.size(types[index + 1]))) }
            }
            arguments.append(try machine.upload(bytes))
        }
        let kernel = try machine.program(text).kernel(named: "k")
        let parameters = Argument.pack(arguments.map { .u64($0) })
        let launch = Launch(
            kernel: kernel, grid: Extent(1), block: Extent(UInt32(count)), parameters: parameters)
        let result = machine.executor.run(launch, memory: machine.memory)
        try #require(result.fault == .none, "\(result.message)")
        let bytes = try machine.download(output, UInt8.self, count: count * size * 4)
        func column(_ index: Int) -> [UInt64] {
            (0..<count).map { row in
                (0..<size).reduce(0) { $0 | UInt64(bytes[(row * 4 + index) * size + $1]) << UInt64($1 * 8) }
            }
        }
        for address in arguments { try machine.memory.free(address: address) }
        return Outcome(
            full: column(0), guarded: column(1), aliased: canAlias ? column(3) : nil, skipped: column(2))
    }

    /// Runs the instruction and compares every form with what `reference` gives; results are cut to the type.
    func check(
        _ sources: [[UInt64]], on machine: Machine, location: SourceLocation = #_sourceLocation,
        _ reference: ([UInt64]) -> UInt64
    ) throws {
        let outcome = try run(sources, on: machine)
        let mask = Self.size(types[0]) == 8 ? ~0 : (UInt64(1) << UInt64(Self.size(types[0]) * 8)) - 1
        for row in sources[0].indices {
            let operands = sources.map { $0[row] }
            let expected = reference(operands) & mask
            let isGuarded = (Self.guardMask >> UInt32(row % 32)) & 1 == 1
            let text = operands.map { String($0, radix: 16) }.joined(separator: ", ")
            try #require(
                outcome.full[row] == expected,
                "\(instruction) of \(text): \(hex(outcome.full[row])), not \(hex(expected))", sourceLocation: location)
            if isBlock { continue }
            let kept = isGuarded ? expected : Self.sentinel & mask
            try #require(
                outcome.guarded[row] == kept, "\(instruction), guarded, lane \(row)", sourceLocation: location)
            try #require(
                outcome.skipped[row] == Self.sentinel & mask, "\(instruction), skipped", sourceLocation: location)
            if let aliased = outcome.aliased {
                try #require(aliased[row] == expected, "\(instruction), d is a", sourceLocation: location)
            }
        }
    }

    private func hex(_ value: UInt64) -> String { String(value, radix: 16) }
}

/// Values that break arithmetic, and some from a fixed sequence.
enum Samples {
    private static let edges64: [UInt64] = [
        0, 1, 2, 3, 5, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x1_0000,
        0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff, 1 << 63, ~0, ~0 - 1, 100,
    ]

    /// `count` values with different orders for different seeds.
    static func integers(_ seed: UInt64, count: Int = 160) -> [UInt64] {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        return (0..<count).map { index in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            if index < edges64.count { return edges64[(index &* Int(seed * 2 + 1)) % edges64.count] }
            let value = state ^ state >> 29
            return index % 3 == 0 ? value >> 40 : index % 3 == 1 ? value >> 20 : value
        }
    }

    private static let edgesFloat: [Float] = [
        0, -0.0, 1, -1, 0.5, 1.5, 2.5, -2.5, 3, 0x1p-133, -0x1p-140, 0x1p-149, .infinity, -.infinity, .nan,
        3.4e38, -3.4e38, 65504, 65520, 1e-8, 6e-8,
        2147483648, -2147483648, 4294967296, 16777218, 0.1, -0.1, 1e10, -1e10, 255.5, 128, 7,
    ]

    static func floats(_ seed: UInt64, count: Int = 160) -> [UInt64] {
        integers(seed, count: count).enumerated().map { index, bits in
            if index < edgesFloat.count {
                return UInt64(edgesFloat[(index * Int(seed * 2 + 1)) % edgesFloat.count].bitPattern)
            }
            let value = Float(Int32(truncatingIfNeeded: bits)) / Float(1 << (index % 40))
            return UInt64(value.bitPattern)
        }
    }

    static func doubles(_ seed: UInt64, count: Int = 160) -> [UInt64] {
        floats(seed, count: count).enumerated().map { index, bits in
            let value = Double(Float(bitPattern: UInt32(bits)))
            return (index % 2 == 0 ? value : value * 1.000000000001).bitPattern
        }
    }
}

extension UInt64 {
    var s32: Int32 { Int32(truncatingIfNeeded: self) }
    var u32: UInt32 { UInt32(truncatingIfNeeded: self) }
    var s64: Int64 { Int64(bitPattern: self) }
    var s16: Int16 { Int16(truncatingIfNeeded: self) }
    var u16: UInt16 { UInt16(truncatingIfNeeded: self) }
    var f32: Float { Float(bitPattern: u32) }
    var f64: Double { Double(bitPattern: self) }

    init(signed value: some BinaryInteger) { self = UInt64(truncatingIfNeeded: value) }
}
