import Primitives
import Testing
import WireProtocol

/// The bytes that `encode` writes.
private func written(_ capacity: Int = 1 << 17, _ encode: (inout WireWriter) -> Void) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xEE, count: capacity)
    let count = bytes.withUnsafeMutableBytes { storage in
        var writer = WireWriter(into: storage)
        encode(&writer)
        return writer.isOverflowed ? -1 : writer.byteCount
    }
    return count < 0 ? [] : [UInt8](bytes.prefix(count))
}

/// Reads a value and makes sure that nothing is left.
private func decoded<Value>(
    _ bytes: [UInt8], _ decode: (inout WireReader) throws(WireError) -> Value
) throws -> Value {
    try bytes.withUnsafeBytes { bytes in
        var reader = WireReader(bytes)
        let value = try decode(&reader)
        try #require(reader.remainingByteCount == 0)
        return value
    }
}

/// Cuts an encoding at every byte; each cut must be an error.
private func expectEveryCutFails<Value>(
    _ bytes: [UInt8], _ decode: (inout WireReader) throws(WireError) -> Value
) {
    for count in 0..<bytes.count {
        #expect(throws: WireError.self, "cut at \(count)") { try decoded([UInt8](bytes.prefix(count)), decode) }
    }
}

/// Random bytes and flipped encodings: an error or a value, never a trap.
private func expectNoTrap<Value>(
    _ bytes: [UInt8], seed: UInt64, _ decode: (inout WireReader) throws(WireError) -> Value
) {
    var numbers = SplitMix64(seed: seed)
    for round in 0..<400 {
        var changed = bytes
        if round % 2 == 0 {
            changed = (0..<Int(numbers.next(below: 128))).map { _ in UInt8(truncatingIfNeeded: numbers.next()) }
        } else {
            changed[Int(numbers.next(below: UInt64(changed.count)))] = UInt8(truncatingIfNeeded: numbers.next())
        }
        _ = try? decoded(changed, decode)
    }
}

@Suite("Hand-written codecs")
struct HandWrittenCodecTests {
    @Test("A frame's header keeps its fields and fails at every cut")
    func frameHeader() throws {
        let header = FrameHeader(bodyByteCount: 1 << 20, kind: .reply, count: 9, sequence: 1 << 40)
        let bytes = written { header.encode(into: &$0) }
        #expect(bytes.count == FrameHeader.byteCount)
        #expect(try decoded(bytes, FrameHeader.init(from:)) == header)
        expectEveryCutFails(bytes, FrameHeader.init(from:))
    }

    @Test("A frame that is too long or of no kind is refused")
    func badFrames() {
        let long = FrameHeader(bodyByteCount: (1 << 20) + 1, kind: .commands, count: 1, sequence: 1)
        #expect(throws: WireError.oversized) {
            try decoded(written { long.encode(into: &$0) }, FrameHeader.init(from:))
        }
        var noKind = written { FrameHeader(bodyByteCount: 0, kind: .event, count: 0, sequence: 0).encode(into: &$0) }
        noKind[4] = 77
        #expect(throws: WireError.badHeader) { try decoded(noKind, FrameHeader.init(from:)) }
    }

    @Test("A command's header keeps its fields, and unknown flags are refused")
    func commandHeader() throws {
        let header = CommandHeader(id: 1234, flags: CommandHeader.replyFlag, payloadByteCount: 99)
        let bytes = written { header.encode(into: &$0) }
        #expect(bytes.count == CommandHeader.byteCount)
        #expect(try decoded(bytes, CommandHeader.init(from:)) == header)
        expectEveryCutFails(bytes, CommandHeader.init(from:))
        let flagged = written { CommandHeader(id: 1, flags: 4, payloadByteCount: 0).encode(into: &$0) }
        #expect(throws: WireError.badHeader) { try decoded(flagged, CommandHeader.init(from:)) }
    }

    @Test("A reply's header keeps its fields and fails at every cut")
    func replyHeader() throws {
        let header = ReplyHeader(
            status: -5, deferredStatus: 700, outputByteCount: 1, printfByteCount: 2, messageByteCount: 3,
            bulkByteCount: .max)
        let bytes = written { header.encode(into: &$0) }
        #expect(bytes.count == ReplyHeader.byteCount)
        #expect(try decoded(bytes, ReplyHeader.init(from:)) == header)
        expectEveryCutFails(bytes, ReplyHeader.init(from:))
    }

    @Test("A greeting keeps its fields, fails at every cut and on a wrong role")
    func hello() throws {
        let token = [UInt8]("token".utf8)
        let name = [UInt8]("name".utf8)
        let bytes = written { writer in
            token.withUnsafeBytes { token in
                name.withUnsafeBytes { name in
                    var hello = Hello(
                        descriptionHash: 5, role: .monitor, flags: 3, session: SessionID(high: 8, low: 9), laneIndex: 1,
                        processID: 2)
                    hello.token = token
                    hello.processName = name
                    hello.encode(into: &writer)
                }
            }
        }
        try bytes.withUnsafeBytes { storage in
            var reader = WireReader(storage)
            let hello = try Hello(from: &reader)
            #expect(hello.role == .monitor && hello.flags == 3 && hello.session == SessionID(high: 8, low: 9))
            #expect([UInt8](hello.token) == token && [UInt8](hello.processName) == name)
            #expect(reader.remainingByteCount == 0)
        }
        expectEveryCutFails(bytes, Hello.init(from:))
        expectNoTrap(bytes, seed: 1, Hello.init(from:))
        var wrongRole = bytes
        wrongRole[20] = 9
        #expect(throws: WireError.badValue) { try decoded(wrongRole, Hello.init(from:)) }
    }

    @Test("An answer keeps its fields and fails at every cut")
    func welcome() throws {
        let message = [UInt8]("Set ROOST_TOKEN.".utf8)
        let bytes = written { writer in
            message.withUnsafeBytes { message in
                var welcome = Welcome(status: .wrongToken, ringByteCount: 4096)
                welcome.message = message
                welcome.encode(into: &writer)
            }
        }
        try bytes.withUnsafeBytes { storage in
            var reader = WireReader(storage)
            let welcome = try Welcome(from: &reader)
            #expect(welcome.status == .wrongToken && welcome.ringByteCount == 4096 && welcome.usesSharedMemory)
            #expect([UInt8](welcome.message) == message)
        }
        expectEveryCutFails(bytes, Welcome.init(from:))
        expectNoTrap(bytes, seed: 2, Welcome.init(from:))
    }

    static func device() -> DeviceSnapshot {
        var device = DeviceSnapshot()
        device.name = [UInt8]("Roost vGPU".utf8)
        device.uuidHigh = 1
        device.uuidLow = .max
        device.totalByteCount = 4 << 30
        device.computePercent = 50
        device.isSoftware = true
        device.attributes = [(1, 1024), (75, 9), (76, -1)]
        return device
    }

    @Test("A device's snapshot keeps its fields and fails at every cut")
    func deviceSnapshot() throws {
        var bytes: [UInt8] = []
        HandWrittenCodecTests.device().encode(into: &bytes)
        let device = try decoded(bytes, DeviceSnapshot.init(from:))
        #expect(device.name == [UInt8]("Roost vGPU".utf8) && device.uuidLow == .max && device.isSoftware)
        #expect(device.totalByteCount == 4 << 30 && device.computePercent == 50)
        #expect(device.attributes.map(\.attribute) == [1, 75, 76] && device.attributes.map(\.value) == [1024, 9, -1])
        expectEveryCutFails(bytes, DeviceSnapshot.init(from:))
        expectNoTrap(bytes, seed: 3, DeviceSnapshot.init(from:))
    }

    @Test("A module's snapshot keeps its fields and fails at every cut")
    func moduleSnapshot() throws {
        var module = ModuleSnapshot()
        module.kernelNames = [[UInt8]("add".utf8), []]
        module.globals = [.init(name: [7], address: 0x6000_0000_0000, byteCount: 16, isManaged: true)]
        var bytes: [UInt8] = []
        module.encode(into: &bytes)
        let copy = try decoded(bytes, ModuleSnapshot.init(from:))
        #expect(copy.kernelNames == module.kernelNames)
        #expect(copy.globals.count == 1 && copy.globals[0].isManaged && copy.globals[0].address == 0x6000_0000_0000)
        #expect(copy.globals[0].name == [7] && copy.globals[0].byteCount == 16)
        expectEveryCutFails(bytes, ModuleSnapshot.init(from:))
        expectNoTrap(bytes, seed: 4, ModuleSnapshot.init(from:))
    }

    @Test("A function's snapshot keeps its fields and fails at every cut")
    func functionSnapshot() throws {
        var function = FunctionSnapshot()
        function.parameters = [ParameterSlot(offset: 0, byteCount: 8), ParameterSlot(offset: 8, byteCount: 4)]
        function.attributes = [1024, 0, -3]
        var bytes: [UInt8] = []
        function.encode(into: &bytes)
        let copy = try decoded(bytes, FunctionSnapshot.init(from:))
        #expect(copy.parameters == function.parameters && copy.attributes == function.attributes)
        expectEveryCutFails(bytes, FunctionSnapshot.init(from:))
        expectNoTrap(bytes, seed: 5, FunctionSnapshot.init(from:))
    }

    @Test("A vGPU's status keeps its fields and fails at every cut")
    func vgpuStatus() throws {
        var status = VGPUStatus()
        status.device = HandWrittenCodecTests.device()
        status.usedByteCount = 77
        status.utilizationPercent = 100
        status.commandCount = 1 << 33
        status.launchCount = 12
        status.processes = [.init(processID: 42, usedByteCount: 1 << 34, name: [UInt8]("python3".utf8))]
        var bytes: [UInt8] = []
        status.encode(into: &bytes)
        let copy = try decoded(bytes, VGPUStatus.init(from:))
        #expect(copy.usedByteCount == 77 && copy.utilizationPercent == 100 && copy.commandCount == 1 << 33)
        #expect(copy.launchCount == 12 && copy.processes.count == 1 && copy.device.totalByteCount == 4 << 30)
        #expect(copy.processes[0].processID == 42 && copy.processes[0].name == [UInt8]("python3".utf8))
        expectEveryCutFails(bytes, VGPUStatus.init(from:))
        expectNoTrap(bytes, seed: 6, VGPUStatus.init(from:))
    }
}

@Suite("Readers and writers")
struct WireBufferTests {
    @Test("A writer never writes beyond its buffer")
    func overflow() {
        var bytes = [UInt8](repeating: 0xEE, count: 16)
        bytes.withUnsafeMutableBytes { storage in
            var writer = WireWriter(into: UnsafeMutableRawBufferPointer(rebasing: storage[..<10]))
            writer.write(UInt64(1))
            #expect(!writer.isOverflowed)
            writer.write(UInt32(2))
            #expect(writer.isOverflowed && writer.byteCount == 8)
        }
        #expect(bytes[8...].allSatisfy { $0 == 0xEE })
    }

    @Test("A payload's end allows padding and nothing more")
    func finish() throws {
        let bytes = [UInt8](repeating: 0, count: 8)
        try bytes.withUnsafeBytes { storage in
            #expect(throws: WireError.trailingBytes) { try WireReader(storage).finish() }
            var reader = WireReader(storage)
            _ = try reader.read(UInt8.self)
            #expect(throws: Never.self) { try reader.finish() }
        }
    }

    @Test("A length beyond its limit is refused even if the bytes are there")
    func limits() {
        var bytes: [UInt8] = []
        bytes.appendBytes([UInt8](repeating: 1, count: 20))
        bytes.withUnsafeBytes { storage in
            var reader = WireReader(storage)
            #expect(throws: WireError.oversized) { try reader.readBytes(atMost: 19) }
        }
        bytes.withUnsafeBytes { storage in
            var reader = WireReader(storage)
            #expect(throws: Never.self) { try reader.readBytes(atMost: 20) }
        }
    }
}
