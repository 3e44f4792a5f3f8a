/// What a connection is for.
public enum ConnectionRole: UInt8, Sendable {
    /// One client thread's ordered commands.
    case lane = 0
    /// Worker to client: host functions.
    case events = 1
    /// Status queries, without a session.
    case monitor = 2
    /// Worker to worker: memory for a session of the one that is greeted; the lane's index is the sender's link.
    case peer = 3
}

/// 16 random bytes that name a client process at a worker.
public struct SessionID: Sendable, Hashable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// The first bytes of a connection, from the client. A u32 length goes before them on the wire.
public struct Hello {
    /// "ROOST\0\0\1", read as a little-endian integer.
    public static let magic: UInt64 = 0x0100_0054_534F_4F52
    /// The longest encoded greeting, in bytes, without the length before it.
    public static let byteCountMax = 64 + WireLimits.tokenByteCountMax + WireLimits.processNameByteCountMax

    /// The client asks for byte rings in shared memory.
    public static let sharedMemoryFlag: UInt32 = 1
    /// The client waits after every command.
    public static let strictFlag: UInt32 = 2

    public var protocolVersion: UInt32 = WireLimits.protocolVersion
    public var descriptionHash: UInt64
    public var role: ConnectionRole
    public var flags: UInt32
    public var session: SessionID
    public var laneIndex: UInt32
    public var processID: UInt32
    public var token: UnsafeRawBufferPointer
    public var processName: UnsafeRawBufferPointer

    public init(
        descriptionHash: UInt64, role: ConnectionRole, flags: UInt32, session: SessionID, laneIndex: UInt32,
        processID: UInt32
    ) {
        self.descriptionHash = descriptionHash
        self.role = role
        self.flags = flags
        self.session = session
        self.laneIndex = laneIndex
        self.processID = processID
        token = UnsafeRawBufferPointer(start: nil, count: 0)
        processName = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    public func encode(into writer: inout WireWriter) {
        writer.write(Hello.magic)
        writer.write(protocolVersion)
        writer.write(descriptionHash)
        writer.write(role.rawValue)
        writer.write(flags)
        writer.write(session.high)
        writer.write(session.low)
        writer.write(laneIndex)
        writer.write(processID)
        writer.writeBytes(token)
        writer.writeBytes(processName)
    }

    public init(from reader: inout WireReader) throws(WireError) {
        guard try reader.read(UInt64.self) == Hello.magic else { throw .badHeader }
        protocolVersion = try reader.read()
        descriptionHash = try reader.read()
        guard let role = ConnectionRole(rawValue: try reader.read(UInt8.self)) else { throw .badValue }
        self.role = role
        flags = try reader.read()
        session = SessionID(high: try reader.read(), low: try reader.read())
        laneIndex = try reader.read()
        processID = try reader.read()
        token = try reader.readBytes(atMost: WireLimits.tokenByteCountMax)
        processName = try reader.readBytes(atMost: WireLimits.processNameByteCountMax)
    }
}

/// The worker's answer to a ``Hello``. A u32 length goes before it on the wire.
public struct Welcome {
    public enum Status: UInt32, Sendable {
        case accepted = 0
        case wrongVersion = 1
        case wrongDescription = 2
        case wrongToken = 3
        /// The worker shuts down or has too many lanes.
        case unavailable = 4
    }

    /// The longest encoded answer, in bytes, without the length before it.
    public static let byteCountMax = 32 + WireLimits.messageByteCountMax

    public var status: Status
    /// The worker accepts rings: a message with a memfd follows on the Unix socket, then all traffic is in the rings.
    public var usesSharedMemory: Bool
    /// Bytes of each ring, a power of two; 0 without rings.
    public var ringByteCount: UInt32
    /// What is wrong, as a sentence with the next step; empty when accepted.
    public var message: UnsafeRawBufferPointer

    public init(status: Status, ringByteCount: UInt32 = 0) {
        self.status = status
        self.usesSharedMemory = ringByteCount > 0
        self.ringByteCount = ringByteCount
        message = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    public func encode(into writer: inout WireWriter) {
        writer.write(Hello.magic)
        writer.write(WireLimits.protocolVersion)
        writer.write(status.rawValue)
        writer.write(ringByteCount)
        writer.writeBytes(message)
    }

    public init(from reader: inout WireReader) throws(WireError) {
        guard try reader.read(UInt64.self) == Hello.magic else { throw .badHeader }
        _ = try reader.read(UInt32.self)
        guard let status = Status(rawValue: try reader.read(UInt32.self)) else { throw .badValue }
        self.status = status
        ringByteCount = try reader.read()
        usesSharedMemory = ringByteCount > 0
        message = try reader.readBytes(atMost: WireLimits.messageByteCountMax)
    }
}
