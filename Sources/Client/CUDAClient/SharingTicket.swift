internal import CPosix
internal import ClientRuntime
internal import WireProtocol

/// What one process hands to another so that it may open memory or an event: which vGPU has it, and the secret.
struct SharingTicket {
    static let physical: UInt32 = 1
    static let memory: UInt32 = 2
    static let event: UInt32 = 3

    var kind: UInt32
    var uuidHigh: UInt64
    var uuidLow: UInt64
    var high: UInt64
    var low: UInt64
    /// Of an allocation: its size, and where it begins on its first page.
    var byteCount: UInt64 = 0
    var pageOffset: UInt64 = 0

    private static let magic: UInt32 = 0x5453_4F52
    private static let byteCount = 56

    init(kind: UInt32, device: Device, high: UInt64, low: UInt64) {
        self.kind = kind
        uuidHigh = device.snapshot.uuidHigh
        uuidLow = device.snapshot.uuidLow
        self.high = high
        self.low = low
    }

    /// The vGPU as this process has it, if it does.
    var device: Device? {
        for device in Session.devices
        where device.snapshot.uuidHigh == uuidHigh && device.snapshot.uuidLow == uuidLow {
            return device
        }
        return nil
    }

    /// Writes the ticket; the rest of the bytes stays.
    func store(to bytes: UnsafeMutableRawBufferPointer) {
        guard let start = bytes.baseAddress, bytes.count >= SharingTicket.byteCount else { return }
        start.storeBytes(of: SharingTicket.magic, as: UInt32.self)
        start.storeBytes(of: kind, toByteOffset: 4, as: UInt32.self)
        start.storeBytes(of: uuidHigh, toByteOffset: 8, as: UInt64.self)
        start.storeBytes(of: uuidLow, toByteOffset: 16, as: UInt64.self)
        start.storeBytes(of: high, toByteOffset: 24, as: UInt64.self)
        start.storeBytes(of: low, toByteOffset: 32, as: UInt64.self)
        start.storeBytes(of: byteCount, toByteOffset: 40, as: UInt64.self)
        start.storeBytes(of: pageOffset, toByteOffset: 48, as: UInt64.self)
    }

    /// Reads a ticket; nil when the bytes are none.
    init?(from bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, bytes.count >= SharingTicket.byteCount,
            start.loadUnaligned(as: UInt32.self) == SharingTicket.magic
        else { return nil }
        kind = start.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        uuidHigh = start.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        uuidLow = start.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
        high = start.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
        low = start.loadUnaligned(fromByteOffset: 32, as: UInt64.self)
        byteCount = start.loadUnaligned(fromByteOffset: 40, as: UInt64.self)
        pageOffset = start.loadUnaligned(fromByteOffset: 48, as: UInt64.self)
    }

    /// A file in memory with the ticket, of a size that never changes; its descriptor or a negative error number.
    func makeFile() -> Int32 {
        let page = posix_page_byte_count()
        let descriptor = posix_memory_file("roost-shared", UInt64(page))
        guard descriptor >= 0 else { return descriptor }
        guard let start = posix_map_file(descriptor, page, 0, true, true), posix_memory_file_seal(descriptor) == 0
        else {
            _ = posix_close(descriptor)
            return -ENOMEM
        }
        store(to: UnsafeMutableRawBufferPointer(start: start, count: page))
        _ = posix_unmap(start, page)
        return descriptor
    }

    /// Reads the ticket of such a file; nil for any other. The size can't change, so reading is safe.
    init?(file descriptor: Int32) {
        let page = posix_page_byte_count()
        guard descriptor >= 0, posix_memory_file_is_sealed(descriptor),
            posix_descriptor_byte_count(descriptor) == Int64(page),
            let start = posix_map_file(descriptor, page, 0, false, true)
        else { return nil }
        defer { _ = posix_unmap(start, page) }
        self.init(from: UnsafeRawBufferPointer(start: start, count: page))
    }
}
