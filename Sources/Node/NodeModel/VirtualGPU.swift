/// The name of a vGPU on its node, such as `vgpu-7k2m`.
public struct VirtualGPUID: RawRepresentable, Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    private static let letters = Array("0123456789abcdefghjkmnpqrstvwxyz")

    /// The name's text.
    public let rawValue: String

    /// Wraps a name.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// Draws a name of `length` letters.
    public static func random(length: Int, using random: inout some RandomNumberGenerator) -> VirtualGPUID {
        var text = "vgpu-"
        for _ in 0..<length { text.append(letters[Int(random.next() % UInt64(letters.count))]) }
        return VirtualGPUID(rawValue: text)
    }

    /// The name's text.
    public var description: String { rawValue }

    public static func < (left: VirtualGPUID, right: VirtualGPUID) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// The name of one program's hold on its vGPUs; counts from 1 in each daemon.
public struct LeaseID: RawRepresentable, Sendable, Hashable, Comparable, Codable {
    /// The number.
    public let rawValue: UInt64

    /// Wraps a number.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public static func < (left: LeaseID, right: LeaseID) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// Where a vGPU is in its life.
public enum VirtualGPUPhase: String, Sendable, Hashable, Codable {
    /// Its worker starts.
    case starting
    /// Its worker serves.
    case running
    /// Its worker was told to end; its memory and compute are still taken.
    case stopping
}

/// A part of a device, with a worker process of its own.
public struct VirtualGPU: Sendable, Hashable, Codable {
    /// The name on this node.
    public var id: VirtualGPUID
    /// 16 random bytes in the usual text form, with version and variant bits.
    public var uuid: String
    /// The name for people.
    public var name: String
    /// The device that it is a part of.
    public var device: DeviceID
    /// Its memory.
    public var memory: MemorySize
    /// Its share of the device's compute.
    public var compute: ComputeShare
    /// What generation a software GPU says it is; its own choice where nil.
    public var computeCapability: ComputeCapability?
    /// Where it is in its life.
    public var phase: VirtualGPUPhase
    /// Who holds it.
    public var lease: LeaseID
    /// When it was placed, in seconds since 1970.
    public var createdAt: Int64
    /// The worker's process; nil until it serves.
    public var workerProcessID: Int32?
    /// Where clients connect, one for each carrier; empty until it serves.
    public var endpoints: [String]

    /// Describes a vGPU that was just placed.
    public init(
        id: VirtualGPUID, uuid: String, placed placement: Placement, for request: GPURequest, lease: LeaseID,
        createdAt: Int64
    ) {
        self.id = id
        self.uuid = uuid
        self.name = request.displayName
        self.device = placement.device
        self.memory = .mebibytes(request.memory.coveringMebibytes)
        self.compute = request.compute
        self.computeCapability = request.computeCapability
        self.phase = .starting
        self.lease = lease
        self.createdAt = createdAt
        self.workerProcessID = nil
        self.endpoints = []
    }

    /// Draws the text form of a random (version 4) UUID.
    public static func randomUUID(using random: inout some RandomNumberGenerator) -> String {
        let high = random.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = random.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        let digits = [high, low].map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
        var groups: [Substring] = []
        var rest = digits[...]
        for length in [8, 4, 4, 4, 12] {
            groups.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        return groups.joined(separator: "-")
    }
}

/// A client process's hold on one or more vGPUs; it lasts as long as the client's control connection.
public struct Lease: Sendable, Hashable, Codable {
    /// Who asked.
    public var id: LeaseID
    /// The process that asked.
    public var clientProcessID: Int32
    /// What it asked for.
    public var request: GPURequest
    /// Its vGPUs in the order of their ordinals; a lost one stays named.
    public var vgpus: [VirtualGPUID]
    /// Whether the client was told that it has them.
    public var isGranted: Bool

    /// Describes a lease whose vGPUs were just placed.
    public init(id: LeaseID, clientProcessID: Int32, request: GPURequest, vgpus: [VirtualGPUID]) {
        self.id = id
        self.clientProcessID = clientProcessID
        self.request = request
        self.vgpus = vgpus
        self.isGranted = false
    }
}
