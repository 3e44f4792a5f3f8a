/// The carrier between a program and its worker.
public enum TransportKind: String, Sendable, Hashable, Codable, CaseIterable {
    /// Byte rings in shared memory, set up over a Unix socket; the fastest on one machine.
    case sharedMemory = "shm"
    /// A Unix socket.
    case unix
    /// TCP, not encrypted; on loopback unless the request has an address.
    case tcp
    /// TLS 1.3 over TCP, for which the node needs a certificate.
    case tls
}

/// The files with which a node's workers show other machines who they are.
public struct TLSIdentityFiles: Sendable, Hashable, Codable {
    /// The certificate, and those of its issuers after it, as PEM.
    public var certificate: String
    /// The certificate's private key as PEM, readable by its owner only.
    public var key: String

    /// Names the files.
    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// What a program asks of a node.
public struct GPURequest: Sendable, Hashable, Codable {
    /// The most vGPUs of one request.
    public static let countMax = 16
    /// The longest name and program name, in UTF-8 bytes.
    public static let nameByteCountMax = 64

    /// Memory of each vGPU.
    public var memory: MemorySize
    /// Share of its device's compute for each vGPU.
    public var compute: ComputeShare
    /// How many vGPUs.
    public var count: Int
    /// A name for people; the program's name where nil.
    public var name: String?
    /// The carrier.
    public var transport: TransportKind
    /// The program's file name, without its arguments: those may hold secrets.
    public var program: String
    /// What generation a software GPU says it is; its own choice where nil. A real GPU is what it is.
    public var computeCapability: ComputeCapability?
    /// The devices, one for each vGPU, where a control plane has chosen them: it also keeps count of what they have
    /// left. The node's own choice where nil.
    public var devices: [DeviceID]?
    /// The address at which workers listen for other machines, with `tcp` and `tls`; loopback where nil.
    public var address: String?

    /// Describes a request.
    public init(
        memory: MemorySize, compute: ComputeShare, count: Int = 1, name: String? = nil,
        transport: TransportKind = .sharedMemory, program: String
    ) {
        self.memory = memory
        self.compute = compute
        self.count = count
        self.name = name
        self.transport = transport
        self.program = program
    }

    /// The name that lists show.
    public var displayName: String { name ?? program }

    /// What is wrong with the request whatever the devices are, as a sentence; nil where nothing is.
    public var defect: String? {
        guard devices.map({ $0.count == count }) ?? true, devices != nil || (1...GPURequest.countMax).contains(count)
        else {
            return "A request is for 1 to \(GPURequest.countMax) vGPUs, not \(count)."
        }
        guard memory.byteCount > 0 else { return "A vGPU needs memory." }
        for text in [name ?? "-", program] {
            let isPrintable = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
            guard !text.isEmpty, text.utf8.count <= GPURequest.nameByteCountMax, isPrintable else {
                return "A name has 1 to \(GPURequest.nameByteCountMax) printable bytes."
            }
        }
        return nil
    }
}
