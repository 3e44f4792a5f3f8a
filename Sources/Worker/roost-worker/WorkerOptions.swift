import Primitives
import SoftwareBackend
import Transport

/// What the command line of `roost-worker` says.
struct WorkerOptions {
    var endpoints: [Endpoint] = []
    var peerEndpoints: [Endpoint] = []
    var vramByteCount: UInt64 = 4 << 30
    var computePercent: UInt32 = 100
    var threadCount = 0
    var name: String?
    var uuid: (high: UInt64, low: UInt64)?
    var tokenFile: String?
    var computeCapability = 80
    /// The driver's library; nil for the software GPU.
    var driver: String?
    var usesDriver = false
    var device: Int32 = 0
    var listsDevices = false
    var logLevel = "info"
    var readyDescriptor: Int32?
    var imageCache: String?
    var imageCacheByteCount: UInt64 = 1 << 30
    var certificateFile: String?
    var keyFile: String?
    var isInsecure = false
    var diesWithParent = false
    var exitsWithStandardInput = false
    var wantsHelp = false

    /// Why the command line can't be used, as a sentence with the next step.
    struct Failure: Error {
        var message: String
    }

    static let help = """
        usage: roost-worker --listen ENDPOINT [options]

        Serves one vGPU to CUDA programs that load Roost's libcuda.so.1.

          --listen ENDPOINT         unix:///path, shm:///path, tls://host:port or tcp://host:port; may be repeated
          --tls-certificate FILE    the certificate for tls://, PEM, with those of its issuers after it
          --tls-key FILE            its private key, PEM, closed to other users
          --peer-endpoint ENDPOINT  where other workers reach this one, if not where it listens
          --vram BYTES              the vGPU's memory, as in 512MiB (4GiB)
          --compute PERCENT         the vGPU's share of compute, 1 to 100 (100); reported, not enforced
          --threads N               threads that run kernels (one for each CPU)
          --name TEXT               the device's name
          --uuid UUID               the device's UUID, with or without GPU- before it
          --token-file FILE         clients must present the first line of FILE; else of the variable ROOST_TOKEN
          --backend KIND            what computes: software, or cuda for a GPU with its driver (software)
          --driver PATH             the driver's library (the system's libcuda.so.1)
          --device N                the device's ordinal in the driver (0)
          --list-devices            show the driver's devices, one on each line, and end
          --compute-capability X.Y  what a software GPU says it is, 7.5 to 13.0 (8.0)
          --log-level LEVEL         trace, debug, info, notice, warning, error or critical (info)
          --image-cache FOLDER      keep module images here, or off (ROOST_IMAGE_CACHE, else ~/.cache/roost/images)
          --image-cache-size BYTES  bytes of all images there (1GiB)
          --ready-fd N              write "ready" and a newline to this descriptor when clients can connect
          --insecure                listen on tcp:// addresses that other machines reach; traffic is not encrypted
          --parent-death            end when the parent process ends
          --exit-with-stdin         end when standard input ends
          --help                    show this text
        """

    /// Parses arguments, without the program's name.
    static func parse(_ arguments: [String]) throws(Failure) -> WorkerOptions {
        var options = WorkerOptions()
        var rest = arguments[...]
        while let flag = rest.popFirst() {
            if options.set(flag) { continue }
            guard let value = rest.popFirst() else {
                throw Failure(message: "\(flag) is unknown or needs a value; see roost-worker --help")
            }
            try options.set(flag, value)
        }
        if !options.wantsHelp, !options.listsDevices, options.endpoints.isEmpty {
            throw Failure(message: "no place to listen; give --listen, as in --listen unix:///tmp/roost.sock")
        }
        guard (options.certificateFile == nil) == (options.keyFile == nil) else {
            throw Failure(message: "--tls-certificate and --tls-key go together; give both")
        }
        return options
    }

    private mutating func set(_ flag: String) -> Bool {
        switch flag {
        case "--insecure": isInsecure = true
        case "--parent-death": diesWithParent = true
        case "--exit-with-stdin": exitsWithStandardInput = true
        case "--list-devices": listsDevices = true
        case "--help", "-h": wantsHelp = true
        default: return false
        }
        return true
    }

    private mutating func set(_ flag: String, _ value: String) throws(Failure) {
        switch flag {
        case "--listen": endpoints.append(try Self.require(Endpoint(value), flag, value))
        case "--peer-endpoint": peerEndpoints.append(try Self.require(Endpoint(value), flag, value))
        case "--vram": vramByteCount = try Self.require(Bytes(value), flag, value).count
        case "--compute":
            computePercent = UInt32(try Self.require(Self.integer(value, 1...100), flag, value))
        case "--threads": threadCount = try Self.require(Self.integer(value, 1...1024), flag, value)
        case "--name": name = try Self.require(value.utf8.count < 256 ? value : nil, flag, value)
        case "--uuid": uuid = try Self.require(Self.uuid(value), flag, value)
        case "--token-file": tokenFile = value
        case "--tls-certificate": certificateFile = value
        case "--tls-key": keyFile = value
        case "--backend":
            usesDriver = value == "cuda"
            _ = try Self.require(usesDriver || value == "software" ? value : nil, flag, value)
        case "--driver": driver = try Self.require(value.utf8.contains(UInt8(ascii: "/")) ? value : nil, flag, value)
        case "--device": device = Int32(try Self.require(Self.integer(value, 0...63), flag, value))
        case "--compute-capability":
            computeCapability = try Self.require(Self.capability(value), flag, value)
        case "--log-level": logLevel = value
        case "--image-cache":
            imageCache = try Self.require(value == "off" || value.hasPrefix("/") ? value : nil, flag, value)
        case "--image-cache-size": imageCacheByteCount = try Self.require(Bytes(value), flag, value).count
        case "--ready-fd": readyDescriptor = Int32(try Self.require(Self.integer(value, 0...65_535), flag, value))
        default: throw Failure(message: "\(flag) is unknown; see roost-worker --help")
        }
    }

    private static func require<Value>(_ parsed: Value?, _ flag: String, _ value: String) throws(Failure) -> Value {
        guard let parsed else {
            throw Failure(message: "\(flag) can't be \"\(value)\"; see roost-worker --help")
        }
        return parsed
    }

    private static func integer(_ text: String, _ range: ClosedRange<Int>) -> Int? {
        Int(text).flatMap { range.contains($0) ? $0 : nil }
    }

    private static func capability(_ text: String) -> Int? {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].count == 1 else { return nil }
        guard let major = Int(String(Substring(parts[0]))), let minor = Int(String(Substring(parts[1]))) else {
            return nil
        }
        let capability = major * 10 + minor
        return (75...130).contains(capability) ? capability : nil
    }

    /// 32 hexadecimal digits, with hyphens anywhere.
    private static func uuid(_ text: String) -> (high: UInt64, low: UInt64)? {
        let digits = (text.hasPrefix("GPU-") ? text.dropFirst(4) : text[...]).filter { $0 != "-" }
        guard digits.utf8.count == 32, digits.utf8.allSatisfy({ $0 < 128 }) else { return nil }
        guard let high = UInt64(digits.prefix(16), radix: 16), let low = UInt64(digits.dropFirst(16), radix: 16) else {
            return nil
        }
        return (high, low)
    }

    /// Refuses places that would let strangers in.
    func checkSafety(hasToken: Bool) throws(Failure) {
        for endpoint in endpoints {
            let isEncrypted: Bool
            let name: String
            switch endpoint {
            case .unix, .sharedMemory: continue
            case .tcp(let host, _): (name, isEncrypted) = (String(decoding: host, as: UTF8.self), false)
            case .tls(let host, _, _): (name, isEncrypted) = (String(decoding: host, as: UTF8.self), true)
            }
            if name == "localhost" || name == "::1" || name.hasPrefix("127.") { continue }
            guard hasToken else {
                throw Failure(
                    message:
                        "\(endpoint) needs a token, since other machines reach it; give --token-file or ROOST_TOKEN")
            }
            guard isEncrypted || isInsecure else {
                throw Failure(
                    message:
                        "\(endpoint) is reachable from other machines and traffic is not encrypted; listen at tls:// "
                        + "with --tls-certificate and --tls-key, or give --insecure if the network is private")
            }
        }
    }
}
