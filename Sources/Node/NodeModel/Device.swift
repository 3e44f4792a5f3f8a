/// The name of a device on its node, such as `software-0`.
public struct DeviceID: RawRepresentable, Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The name's text.
    public let rawValue: String

    /// Wraps a name.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The name's text.
    public var description: String { rawValue }

    public static func < (left: DeviceID, right: DeviceID) -> Bool {
        (left.rawValue.count, left.rawValue) < (right.rawValue.count, right.rawValue)
    }
}

/// How a device runs kernels. A worker's `--backend` has the same name.
public enum DeviceKind: String, Sendable, Hashable, Codable {
    /// The embedded software GPU, which interprets PTX on the CPU.
    case software
    /// A GPU with its driver.
    case cuda
}

/// A device that this node shares out.
public struct Device: Sendable, Hashable, Codable {
    /// The name on this node.
    public var id: DeviceID
    /// The name for people.
    public var name: String
    /// How it runs kernels.
    public var kind: DeviceKind
    /// All memory that vGPUs can take.
    public var memory: MemorySize
    /// The ordinal in its driver; nil where it has none.
    public var ordinal: Int?

    /// Describes a device.
    public init(id: DeviceID, name: String, kind: DeviceKind, memory: MemorySize, ordinal: Int? = nil) {
        self.ordinal = ordinal
        self.id = id
        self.name = name
        self.kind = kind
        self.memory = memory
    }
}

/// The software GPUs of a node.
public enum SoftwareDevices {
    /// The most that one node offers.
    public static let countMax = 64
    /// What one software GPU has where nobody says otherwise and the machine is large.
    public static let defaultMemory = MemorySize.gibibytes(8)

    /// Describes `count` software GPUs; without `memory`, they share half of the machine's, at most 8 GiB for each.
    public static func describe(count: Int, memory: MemorySize?, machineMemory: MemorySize) -> [Device] {
        let count = min(max(count, 0), countMax)
        guard count > 0 else { return [] }
        let part = MemorySize(byteCount: machineMemory.byteCount / 2 / UInt64(count))
        let each = memory ?? min(defaultMemory, .mebibytes(max(part.wholeMebibytes, 1)))
        return (0..<count).map { index in
            Device(
                id: DeviceID(rawValue: "software-\(index)"), name: "Roost Software GPU", kind: .software, memory: each)
        }
    }
}
