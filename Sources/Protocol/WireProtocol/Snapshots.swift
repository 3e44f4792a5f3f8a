// Structured outputs that are too rich for the generator's scalar fields: each has one encoder and one decoder here.

/// All that a client answers about a device without asking again. One per device in `deviceSnapshot`'s output.
public struct DeviceSnapshot: Sendable {
    /// UTF-8, without a terminator.
    public var name: [UInt8] = []
    /// 16 bytes.
    public var uuidHigh: UInt64 = 0
    public var uuidLow: UInt64 = 0
    /// The vGPU's own memory, in bytes.
    public var totalByteCount: UInt64 = 0
    /// The share of the device's compute, in percent.
    public var computePercent: UInt32 = 100
    /// Whether kernels run on the software GPU, which needs PTX.
    public var isSoftware = false
    /// `CUdevice_attribute` and its value.
    public var attributes: [(attribute: Int32, value: Int32)] = []

    public init() {}

    public func encode(into bytes: inout [UInt8]) {
        bytes.appendBytes(name)
        bytes.appendInteger(uuidHigh)
        bytes.appendInteger(uuidLow)
        bytes.appendInteger(totalByteCount)
        bytes.appendInteger(computePercent)
        bytes.appendInteger(UInt32(isSoftware ? 1 : 0))
        bytes.appendInteger(UInt32(truncatingIfNeeded: attributes.count))
        for entry in attributes {
            bytes.appendInteger(entry.attribute)
            bytes.appendInteger(entry.value)
        }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        name = [UInt8](try reader.readBytes(atMost: 256))
        uuidHigh = try reader.read()
        uuidLow = try reader.read()
        totalByteCount = try reader.read()
        computePercent = try reader.read()
        isSoftware = try reader.read(UInt32.self) != 0
        let count = try reader.read(UInt32.self)
        guard count <= 1024 else { throw .oversized }
        for _ in 0..<count { attributes.append((try reader.read(), try reader.read())) }
    }
}

/// A kernel's parameter: its place in the packed parameter block, in bytes.
public struct ParameterSlot: Sendable, Equatable {
    public var offset: UInt32
    public var byteCount: UInt32

    public init(offset: UInt32, byteCount: UInt32) {
        self.offset = offset
        self.byteCount = byteCount
    }
}

/// What `moduleLoad` answers: the names in a module.
public struct ModuleSnapshot: Sendable {
    /// What a variable that kernels read textures or surfaces through is.
    public enum Reference: UInt32, Sendable {
        case none = 0
        case texture = 1
        case sampler = 2
        case surface = 3
    }

    public struct Global: Sendable {
        public var name: [UInt8]
        public var address: UInt64
        public var byteCount: UInt64
        public var isManaged: Bool
        public var reference = Reference.none

        public init(name: [UInt8], address: UInt64, byteCount: UInt64, isManaged: Bool) {
            self.name = name
            self.address = address
            self.byteCount = byteCount
            self.isManaged = isManaged
        }
    }

    /// What a worker says about a kernel before anybody asks for it.
    public enum Kernel: Sendable, Equatable {
        /// Nothing: `functionLoad` tells.
        case unknown
        /// How to launch it; `functionDescribe` tells its attributes.
        case parameters([ParameterSlot])
        case complete(parameters: [ParameterSlot], attributes: [Int32])
        /// It can't run here: the status and the sentence that `functionLoad` would answer.
        case failed(status: Int32, message: [UInt8])
    }

    public var kernelNames: [[UInt8]] = []
    public var globals: [Global] = []
    /// By the places of ``kernelNames``; what lies behind the end is unknown.
    public var kernels: [Kernel] = []

    public init() {}

    /// - Parameter byteCountMax: Kernels are described as long as the snapshot stays below this size.
    public func encode(into bytes: inout [UInt8], byteCountMax: Int = .max) {
        let start = bytes.count
        encodeNames(into: &bytes)
        let countPlace = bytes.count
        bytes.appendInteger(UInt32(0))
        var count: UInt32 = 0
        for kernel in kernels {
            guard bytes.count - start + kernel.encodedByteCount <= byteCountMax else { break }
            kernel.encode(into: &bytes)
            count &+= 1
        }
        for byte in 0..<4 { bytes[countPlace + byte] = UInt8(truncatingIfNeeded: count >> UInt32(8 * byte)) }
    }

    private func encodeNames(into bytes: inout [UInt8]) {
        bytes.appendInteger(UInt32(truncatingIfNeeded: kernelNames.count))
        bytes.appendInteger(UInt32(truncatingIfNeeded: globals.count))
        for name in kernelNames { bytes.appendBytes(name) }
        for global in globals {
            bytes.appendInteger(global.address)
            bytes.appendInteger(global.byteCount)
            bytes.appendInteger(UInt32(global.isManaged ? 1 : 0) | global.reference.rawValue << 1)
            bytes.appendBytes(global.name)
        }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        let kernelCount = try reader.read(UInt32.self)
        let globalCount = try reader.read(UInt32.self)
        guard kernelCount <= 1 << 20, globalCount <= 1 << 20 else { throw .oversized }
        for _ in 0..<kernelCount { kernelNames.append([UInt8](try reader.readBytes())) }
        for _ in 0..<globalCount {
            let address: UInt64 = try reader.read()
            let byteCount: UInt64 = try reader.read()
            let flags: UInt32 = try reader.read()
            var global = Global(
                name: [UInt8](try reader.readBytes()), address: address, byteCount: byteCount,
                isManaged: flags & 1 != 0)
            global.reference = Reference(rawValue: (flags >> 1) & 3) ?? .none
            globals.append(global)
        }
        let describedCount = try reader.read(UInt32.self)
        guard describedCount <= kernelCount else { throw .oversized }
        for _ in 0..<describedCount { kernels.append(try Kernel(from: &reader)) }
    }
}

extension ModuleSnapshot.Kernel {
    private static let attributeCountMax: UInt32 = 256
    private static let parameterCountMax: UInt32 = 4096

    var encodedByteCount: Int {
        switch self {
        case .unknown: 1
        case .parameters(let slots): 5 + 8 * slots.count
        case .complete(let slots, let attributes): 9 + 8 * slots.count + 4 * attributes.count
        case .failed(_, let message): 9 + message.count
        }
    }

    func encode(into bytes: inout [UInt8]) {
        switch self {
        case .unknown: bytes.append(0)
        case .parameters(let slots):
            bytes.append(1)
            Self.encode(slots, into: &bytes)
        case .complete(let slots, let attributes):
            bytes.append(2)
            Self.encode(slots, into: &bytes)
            bytes.appendInteger(UInt32(truncatingIfNeeded: attributes.count))
            for value in attributes { bytes.appendInteger(value) }
        case .failed(let status, let message):
            bytes.append(3)
            bytes.appendInteger(status)
            bytes.appendBytes(message)
        }
    }

    init(from reader: inout WireReader) throws(WireError) {
        switch try reader.read(UInt8.self) {
        case 0: self = .unknown
        case 1: self = .parameters(try Self.parameters(from: &reader))
        case 2:
            let slots = try Self.parameters(from: &reader)
            let count = try reader.read(UInt32.self)
            guard count <= Self.attributeCountMax else { throw .oversized }
            var attributes: [Int32] = []
            for _ in 0..<count { attributes.append(try reader.read()) }
            self = .complete(parameters: slots, attributes: attributes)
        case 3:
            let status: Int32 = try reader.read()
            self = .failed(status: status, message: [UInt8](try reader.readBytes()))
        default: throw .badValue
        }
    }

    private static func encode(_ slots: [ParameterSlot], into bytes: inout [UInt8]) {
        bytes.appendInteger(UInt32(truncatingIfNeeded: slots.count))
        for slot in slots {
            bytes.appendInteger(slot.offset)
            bytes.appendInteger(slot.byteCount)
        }
    }

    private static func parameters(from reader: inout WireReader) throws(WireError) -> [ParameterSlot] {
        let count = try reader.read(UInt32.self)
        guard count <= parameterCountMax else { throw .oversized }
        var slots: [ParameterSlot] = []
        for _ in 0..<count { slots.append(ParameterSlot(offset: try reader.read(), byteCount: try reader.read())) }
        return slots
    }
}

/// What `functionLoad` answers: how to launch a kernel.
public struct FunctionSnapshot: Sendable {
    public var parameters: [ParameterSlot] = []
    /// `CUfunction_attribute` 0… in order: max threads, static shared bytes, constant bytes, local bytes, registers,
    /// PTX version, binary version, cache mode, max dynamic shared bytes.
    public var attributes: [Int32] = []

    public init() {}

    public func encode(into bytes: inout [UInt8]) {
        bytes.appendInteger(UInt32(truncatingIfNeeded: parameters.count))
        bytes.appendInteger(UInt32(truncatingIfNeeded: attributes.count))
        for slot in parameters {
            bytes.appendInteger(slot.offset)
            bytes.appendInteger(slot.byteCount)
        }
        for value in attributes { bytes.appendInteger(value) }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        let parameterCount = try reader.read(UInt32.self)
        let attributeCount = try reader.read(UInt32.self)
        guard parameterCount <= 4096, attributeCount <= 256 else { throw .oversized }
        for _ in 0..<parameterCount {
            parameters.append(ParameterSlot(offset: try reader.read(), byteCount: try reader.read()))
        }
        for _ in 0..<attributeCount { attributes.append(try reader.read()) }
    }
}

extension [UInt8] {
    /// Appends an integer's little-endian bytes.
    @inlinable
    public mutating func appendInteger<T: FixedWidthInteger>(_ value: T) {
        var rest = value.littleEndian
        for _ in 0..<MemoryLayout<T>.size {
            append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// Appends a u32 length and the bytes.
    @inlinable
    public mutating func appendBytes(_ bytes: [UInt8]) {
        appendInteger(UInt32(truncatingIfNeeded: bytes.count))
        append(contentsOf: bytes)
    }
}
