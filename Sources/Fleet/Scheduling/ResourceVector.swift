/// Amounts of everything that is placed, counted against quotas and priced: of a host, of devices, or of a request.
public struct ResourceVector: Sendable, Hashable, Codable {
    /// CPU time of the host, in thousandths of a core.
    public var cpuMilli: Int
    /// Memory of the host, in mebibytes.
    public var memoryMiB: Int
    /// Devices that are touched, whole or in part.
    public var deviceCount: Int
    /// Compute of devices, in thousandths of a device.
    public var computeMilli: Int
    /// Memory of devices, in mebibytes.
    public var vramMiB: Int

    /// Nothing of anything, except for what is named.
    public init(
        cpuMilli: Int = 0, memoryMiB: Int = 0, deviceCount: Int = 0, computeMilli: Int = 0, vramMiB: Int = 0
    ) {
        self.cpuMilli = cpuMilli
        self.memoryMiB = memoryMiB
        self.deviceCount = deviceCount
        self.computeMilli = computeMilli
        self.vramMiB = vramMiB
    }

    /// Nothing of anything.
    public static let zero = ResourceVector()

    /// The sum, resource by resource.
    public static func + (left: ResourceVector, right: ResourceVector) -> ResourceVector {
        left.combined(with: right, by: +)
    }

    /// The difference, resource by resource; it may be negative.
    public static func - (left: ResourceVector, right: ResourceVector) -> ResourceVector {
        left.combined(with: right, by: -)
    }

    /// Adds, resource by resource.
    public static func += (left: inout ResourceVector, right: ResourceVector) { left = left + right }

    /// Subtracts, resource by resource.
    public static func -= (left: inout ResourceVector, right: ResourceVector) { left = left - right }

    /// Every resource, times a count.
    public static func * (left: ResourceVector, count: Int) -> ResourceVector {
        left.combined(with: left) { amount, _ in amount * count }
    }

    /// Whether no resource exceeds that of another vector.
    public func fits(in other: ResourceVector) -> Bool {
        cpuMilli <= other.cpuMilli && memoryMiB <= other.memoryMiB && deviceCount <= other.deviceCount
            && computeMilli <= other.computeMilli && vramMiB <= other.vramMiB
    }

    /// Applies an operation to each pair of amounts.
    public func combined(with other: ResourceVector, by operation: (Int, Int) -> Int) -> ResourceVector {
        ResourceVector(
            cpuMilli: operation(cpuMilli, other.cpuMilli), memoryMiB: operation(memoryMiB, other.memoryMiB),
            deviceCount: operation(deviceCount, other.deviceCount),
            computeMilli: operation(computeMilli, other.computeMilli), vramMiB: operation(vramMiB, other.vramMiB))
    }
}
