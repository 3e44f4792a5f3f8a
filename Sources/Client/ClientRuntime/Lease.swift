/// The bytes of a device that the worker lets this process use without asking again.
///
/// It grows by a grant when it runs out, with a slack of at most 1/64 of the device, and shrinks when much of it lies
/// idle.
public struct Lease {
    /// The whole vGPU's bytes.
    public let totalByteCount: UInt64
    /// Bytes that the worker granted.
    public private(set) var grantedByteCount: UInt64 = 0
    /// Bytes in use.
    public private(set) var usedByteCount: UInt64 = 0

    /// Creates an empty lease on a device.
    public init(totalByteCount: UInt64) { self.totalByteCount = totalByteCount }

    /// Bytes that can be used without a grant.
    public var availableByteCount: UInt64 { grantedByteCount &- usedByteCount }

    private var slackByteCount: UInt64 { totalByteCount / 64 }

    /// What to ask the worker for before `byteCount` more bytes can be used; nil when the lease suffices.
    public func shortfall(for byteCount: UInt64) -> (minimum: UInt64, wanted: UInt64)? {
        guard byteCount > availableByteCount else { return nil }
        let minimum = byteCount &- availableByteCount
        let (wanted, overflow) = minimum.addingReportingOverflow(slackByteCount)
        return (minimum, overflow ? minimum : wanted)
    }

    /// Adds a grant.
    public mutating func grow(by byteCount: UInt64) { grantedByteCount &+= byteCount }

    /// Uses bytes; the caller has made sure that they are available.
    public mutating func use(_ byteCount: UInt64) { usedByteCount &+= byteCount }

    /// Stops using bytes that the worker keeps charging, as others may use them.
    public mutating func forfeit(_ byteCount: UInt64) {
        let bytes = min(byteCount, usedByteCount)
        usedByteCount &-= bytes
        grantedByteCount &-= bytes
    }

    /// Stops using bytes. The bytes to return to the worker, often 0.
    public mutating func release(_ byteCount: UInt64) -> UInt64 {
        usedByteCount = usedByteCount >= byteCount ? usedByteCount &- byteCount : 0
        guard availableByteCount > 2 &* slackByteCount else { return 0 }
        let excess = availableByteCount &- slackByteCount
        grantedByteCount &-= excess
        return excess
    }
}
