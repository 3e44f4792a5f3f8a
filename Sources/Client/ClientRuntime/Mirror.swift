internal import CPosix

/// Memory that host and device both may write, kept alike by copying.
///
/// A shadow remembers what both sides agreed on last. What differs from it on the host's side was written by the host
/// and is sent before the device works; what the device sends back replaces only bytes that the host did not write
/// meanwhile.
public struct Mirror {
    /// The host's bytes.
    public let host: UnsafeMutableRawPointer
    /// Where the device has them.
    public let deviceAddress: UInt64
    public let byteCount: Int
    private let shadow: UnsafeMutableRawPointer
    /// Whether work was sent that may write the device's side.
    public var isDeviceNewer = false

    static let blockByteCount = 64

    /// A mirror whose both sides are taken as zero. Nil without memory.
    public init?(host: UnsafeMutableRawPointer, deviceAddress: UInt64, byteCount: Int) {
        guard byteCount > 0,
            let shadow = posix_map_anonymous(
                nil, byteCount, Int32(POSIX_PROTECT_READ | POSIX_PROTECT_WRITE))
        else { return nil }
        self.host = host
        self.deviceAddress = deviceAddress
        self.byteCount = byteCount
        self.shadow = shadow
    }

    /// Gives the shadow back.
    public func dispose() { _ = posix_unmap(shadow, byteCount) }

    /// The next run of bytes at or after `offset` that the host changed. They count as agreed on from now on.
    public func nextChange(from offset: Int) -> Range<Int>? {
        var start = offset
        // Large steps first: memory that nobody touched is skipped at the speed of a compare.
        while start < byteCount {
            let count = min(4096, byteCount &- start)
            if memcmp(host + start, shadow + start, count) != 0 { break }
            start &+= count
        }
        while start < byteCount, isSame(start) { start &+= Mirror.blockByteCount }
        guard start < byteCount else { return nil }
        var end = start
        while end < byteCount, !isSame(end) { end &+= Mirror.blockByteCount }
        end = min(end, byteCount)
        memcpy(shadow + start, host + start, end &- start)
        return start..<end
    }

    private func isSame(_ offset: Int) -> Bool {
        memcmp(host + offset, shadow + offset, min(Mirror.blockByteCount, byteCount &- offset)) == 0
    }

    /// Takes over what the device has, except where the host wrote since the last exchange.
    public func merge(_ device: UnsafeRawPointer) {
        var start = 0
        while start < byteCount {
            let count = min(4096, byteCount &- start)
            if memcmp(host + start, shadow + start, count) == 0 {
                memcpy(host + start, device + start, count)
                memcpy(shadow + start, device + start, count)
            } else {
                mergeBytes(device, start..<(start &+ count))
            }
            start &+= count
        }
    }

    private func mergeBytes(_ device: UnsafeRawPointer, _ range: Range<Int>) {
        Mirror.mergeBytes(host, shadow, device, range)
    }

    /// Takes over the device's bytes where the host's are still what was agreed on.
    static func mergeBytes(
        _ host: UnsafeMutableRawPointer, _ shadow: UnsafeMutableRawPointer, _ device: UnsafeRawPointer,
        _ range: Range<Int>
    ) {
        for index in range {
            let hostByte = host.load(fromByteOffset: index, as: UInt8.self)
            let agreed = shadow.load(fromByteOffset: index, as: UInt8.self)
            let deviceByte = device.load(fromByteOffset: index, as: UInt8.self)
            if hostByte == agreed { host.storeBytes(of: deviceByte, toByteOffset: index, as: UInt8.self) }
            // A byte that the host wrote still differs from the shadow, so that it is sent next time.
            let isHostByte = hostByte != agreed
            let next = isHostByte && deviceByte == hostByte ? ~deviceByte : deviceByte
            shadow.storeBytes(of: next, toByteOffset: index, as: UInt8.self)
        }
    }
}
