/// The range of device addresses of one device, on which client and worker agree.
///
/// The first half is device memory, its last eighth module globals that the worker places; the second half is memory
/// that the host may touch at the same address.
public struct DeviceArena: Equatable, Sendable {
    /// The lowest device address.
    public var base: UInt64
    /// Addresses, a power of two.
    public var byteCount: UInt64

    public init(base: UInt64, byteCount: UInt64) {
        self.base = base
        self.byteCount = byteCount
    }

    /// Alignment of every allocation.
    public static let alignment: UInt64 = 512
    /// Alignment of an arena: the largest page of a GPU.
    public static let baseAlignment: UInt64 = 2 << 20
    /// What a client asks for.
    public static let wantedByteCount: UInt64 = 1 << 40
    /// What it can work with.
    public static let byteCountMin: UInt64 = 1 << 30
    /// Places for an arena of the wanted size: addresses that programs and their libraries leave alone.
    public static let slotCount: UInt64 = 48

    /// An arena of the wanted size; slots beyond the last begin again.
    public static func inSlot(_ slot: UInt64) -> DeviceArena {
        DeviceArena(base: 0x2000_0000_0000 &+ (slot % slotCount) &* wantedByteCount, byteCount: wantedByteCount)
    }

    /// The arena of a device for which nobody reserved one.
    public static func standard(ordinal: UInt32 = 0) -> DeviceArena { inSlot(UInt64(ordinal)) }

    /// Whether both sides can use it.
    public var isValid: Bool {
        byteCount >= DeviceArena.byteCountMin && byteCount <= DeviceArena.wantedByteCount
            && byteCount.nonzeroBitCount == 1 && base >= DeviceArena.byteCountMin
            && base % DeviceArena.baseAlignment == 0 && base <= 1 << 47 &- byteCount
    }

    /// Where, from the base, memory begins that the host may touch at the same address.
    @inlinable
    public var hostVisibleOffset: UInt64 { byteCount / 2 }

    /// The worker places module globals from here, from the base, up to ``hostVisibleOffset``.
    @inlinable
    public var moduleOffset: UInt64 { byteCount / 2 &- byteCount / 16 }

    /// Whether an address lies in it.
    @inlinable
    public func contains(_ address: UInt64) -> Bool { address &- base < byteCount }

    /// Whether the worker places module globals at an address.
    @inlinable
    public func holdsModule(_ address: UInt64) -> Bool {
        let offset = address &- base
        return offset >= moduleOffset && offset < hostVisibleOffset
    }
}
