import GPUBackend
import GPUTestKit
import SoftwareBackend
import Synchronization
import Testing

/// The backends that keep the same contract.
enum Kind: String, CaseIterable, CustomTestStringConvertible {
    case software
    /// The real driver's backend, on this package's own library.
    case nested

    var testDescription: String { rawValue }

    func make() throws -> any GPUBackend {
        switch self {
        case .software: SoftwareBackend(options: SoftwareOptions())
        case .nested: try NestedDriver.backend()
        }
    }
}

/// A worker's side of a session: collects what is printed, and lets a test hold host functions.
final class Host: BackendHost {
    let printed = Mutex<[UInt8]>([])
    let tokens = Mutex<[UInt64]>([])
    private let gate = Monitor()
    private let isOpen: Mutex<Bool>

    init(isOpen: Bool = true) {
        self.isOpen = Mutex(isOpen)
    }

    func runHostFunction(token: UInt64) {
        gate.withLock { while !isOpen.withLock({ $0 }) { gate.wait() } }
        tokens.withLock { $0.append(token) }
    }

    func print(_ text: UnsafeRawBufferPointer) { printed.withLock { $0.append(contentsOf: text) } }

    /// Lets all host functions end.
    func open() {
        gate.withLock {
            isOpen.withLock { $0 = true }
            gate.signalAll()
        }
    }
}

/// A session with a context, and short ways to use them.
final class Machine {
    let kind: Kind
    let host: Host
    let session: any BackendSession
    let context: any BackendContext
    private var next: UInt64
    private var nextGlobal: UInt64

    init(_ kind: Kind, host: Host = Host()) throws {
        self.kind = kind
        self.host = host
        let wanted = AddressArena(base: 0x2800_0000_0000, byteCount: 1 << 40)
        session = try kind.make().makeSession(device: 0, arena: wanted, host: host)
        context = try session.makeContext(flags: 0)
        next = session.arena.base + 512
        nextGlobal = session.arena.base + session.arena.byteCount / 2
    }

    deinit {
        host.open()
        session.close()
    }

    var stream: any BackendStream { context.defaultStream }

    func allocate(_ byteCount: UInt64) throws -> UInt64 {
        let address = next
        try session.commit(address: address, byteCount: byteCount, kind: .device, for: context)
        next += (byteCount + 511) & ~511
        return address
    }

    func write(_ values: [UInt32], to address: UInt64) throws {
        try write(values, to: MemoryBox(address: address, byteCount: UInt64(values.count * 4)))
    }

    func write(_ values: [UInt32], to box: MemoryBox, in context: (any BackendContext)? = nil) throws {
        let stream = context?.defaultStream ?? stream
        try values.withUnsafeBytes { bytes in
            var offset = 0
            try stream.copyToDevice(box) { buffer in
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + buffer.count)]))
                offset += buffer.count
                return true
            }
        }
    }

    func read(_ count: Int, from address: UInt64) throws -> [UInt32] {
        try read(MemoryBox(address: address, byteCount: UInt64(count * 4)))
    }

    func read(_ box: MemoryBox) throws -> [UInt32] {
        var bytes: [UInt8] = []
        try stream.copyFromDevice(box) { piece in
            bytes.append(contentsOf: piece)
            return true
        }
        return bytes.withUnsafeBytes { bytes in
            (0..<(bytes.count / 4)).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
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
        _ function: any BackendFunction, grid: UInt32 = 1, block: UInt32 = 1, isCooperative: Bool = false,
        _ parameters: [UInt64] = [], on stream: (any BackendStream)? = nil
    ) throws {
        let shape = LaunchShape(
            grid: (grid, 1, 1), block: (block, 1, 1), sharedByteCount: 0, isCooperative: isCooperative)
        try parameters.withUnsafeBytes { try (stream ?? self.stream).launch(function, shape, parameters: $0) }
    }
}

/// The status of the backend's error that `body` throws; nil if it throws none.
func status(_ body: () throws -> Void) -> Int32? {
    do {
        try body()
        return nil
    } catch {
        return (error as? BackendError)?.status
    }
}
