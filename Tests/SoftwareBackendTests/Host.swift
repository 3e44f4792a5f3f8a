import GPUBackend
import Synchronization
import Testing

@testable import SoftwareBackend

let arena = AddressArena(base: 0x6000_0000_0000, byteCount: 1 << 40)

/// A worker's side of a session: collects what is printed, and lets a test hold host functions.
final class Host: BackendHost {
    let printed = Mutex<[UInt8]>([])
    let tokens = Mutex<[UInt64]>([])
    let gate = Monitor()
    private let isOpen: Mutex<Bool>

    init(isOpen: Bool = true) {
        self.isOpen = Mutex(isOpen)
    }

    func runHostFunction(token: UInt64) {
        tokens.withLock { $0.append(token) }
        gate.withLock { while !isOpen.withLock({ $0 }) { gate.wait() } }
    }

    func print(_ text: UnsafeRawBufferPointer) { printed.withLock { $0.append(contentsOf: text) } }

    /// Lets all host functions end.
    func open() {
        isOpen.withLock { $0 = true }
        gate.withLock { gate.signalAll() }
    }
}

/// A session with a context, and short ways to use them.
final class Machine {
    let host: Host
    let session: any BackendSession
    let context: any BackendContext
    private var next = arena.base
    private var nextGlobal = arena.base + (1 << 38)

    init(host: Host = Host(), options: SoftwareOptions = SoftwareOptions()) throws {
        self.host = host
        session = try SoftwareBackend(options: options).makeSession(device: 0, arena: arena, host: host)
        context = try session.makeContext(flags: 0)
    }

    deinit {
        host.open()
        session.close()
    }

    var stream: any BackendStream { context.defaultStream }

    func allocate(_ byteCount: UInt64) throws -> UInt64 {
        let address = next
        try session.commit(address: address, byteCount: byteCount, kind: .device, for: context)
        next += (byteCount + 1023) & ~511
        return address
    }

    func write(_ values: [UInt32], to address: UInt64) throws {
        var bytes = values.withUnsafeBytes { [UInt8]($0) }[...]
        let box = MemoryBox(address: address, byteCount: UInt64(bytes.count))
        try stream.copyToDevice(box) { buffer in
            buffer.copyBytes(from: bytes.prefix(buffer.count))
            bytes = bytes.dropFirst(buffer.count)
            return true
        }
    }

    func read(_ count: Int, from address: UInt64) throws -> [UInt32] {
        var bytes: [UInt8] = []
        try stream.copyFromDevice(MemoryBox(address: address, byteCount: UInt64(count * 4))) { piece in
            bytes.append(contentsOf: piece)
            return true
        }
        return bytes.withUnsafeBytes { bytes in
            (0..<count).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
        }
    }

    func module(_ text: String) throws -> any BackendModule {
        try Array(text.utf8).withUnsafeBytes { image in
            try context.loadModule(image: image) { byteCount, alignment throws(BackendError) in
                let address = (nextGlobal + alignment - 1) / alignment * alignment
                try session.commit(address: address, byteCount: byteCount, kind: .device, for: context)
                nextGlobal = (address + byteCount + 1023) & ~511
                return address
            }
        }
    }

    func function(_ name: String, of module: any BackendModule) throws -> any BackendFunction {
        try Array(name.utf8).withUnsafeBytes { try module.function(named: $0) }
    }

    func launch(
        _ function: any BackendFunction, grid: UInt32 = 1, block: UInt32 = 1, shared: UInt32 = 0,
        isCooperative: Bool = false, _ parameters: [UInt64] = []
    ) throws {
        let shape = LaunchShape(
            grid: (grid, 1, 1), block: (block, 1, 1), sharedByteCount: shared, isCooperative: isCooperative)
        try parameters.withUnsafeBytes { try stream.launch(function, shape, parameters: $0) }
    }
}
