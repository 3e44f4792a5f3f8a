/// A vGPU as its worker sees it now; what NVML, `roost top` and `roost ps` show.
public struct VGPUStatus: Sendable {
    /// One client process.
    public struct Process: Sendable {
        public var processID: UInt32
        public var usedByteCount: UInt64
        /// UTF-8.
        public var name: [UInt8]

        public init(processID: UInt32, usedByteCount: UInt64, name: [UInt8]) {
            self.processID = processID
            self.usedByteCount = usedByteCount
            self.name = name
        }
    }

    public var device = DeviceSnapshot()
    public var usedByteCount: UInt64 = 0
    /// Share of the last second in which work ran on the vGPU, in percent.
    public var utilizationPercent: UInt32 = 0
    /// Commands and kernel launches since the worker started.
    public var commandCount: UInt64 = 0
    public var launchCount: UInt64 = 0
    /// Bytes that went straight to other workers since the worker started, and those that had to pass through a client.
    public var peerByteCount: UInt64 = 0
    public var relayedByteCount: UInt64 = 0
    public var processes: [Process] = []

    public init() {}

    public func encode(into bytes: inout [UInt8]) {
        device.encode(into: &bytes)
        bytes.appendInteger(usedByteCount)
        bytes.appendInteger(utilizationPercent)
        bytes.appendInteger(commandCount)
        bytes.appendInteger(launchCount)
        bytes.appendInteger(peerByteCount)
        bytes.appendInteger(relayedByteCount)
        bytes.appendInteger(UInt32(truncatingIfNeeded: processes.count))
        for process in processes {
            bytes.appendInteger(process.processID)
            bytes.appendInteger(process.usedByteCount)
            bytes.appendBytes(process.name)
        }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        device = try DeviceSnapshot(from: &reader)
        usedByteCount = try reader.read()
        utilizationPercent = try reader.read()
        commandCount = try reader.read()
        launchCount = try reader.read()
        peerByteCount = try reader.read()
        relayedByteCount = try reader.read()
        let count = try reader.read(UInt32.self)
        guard count <= 1 << 16 else { throw .oversized }
        for _ in 0..<count {
            let processID: UInt32 = try reader.read()
            let usedByteCount: UInt64 = try reader.read()
            let name = [UInt8](try reader.readBytes(atMost: WireLimits.processNameByteCountMax))
            processes.append(Process(processID: processID, usedByteCount: usedByteCount, name: name))
        }
    }
}
