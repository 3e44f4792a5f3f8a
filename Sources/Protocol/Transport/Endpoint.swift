/// A place where a worker listens.
public enum Endpoint: Sendable, Equatable {
    /// A Unix-domain socket: `unix:///run/roost/a.sock`.
    case unix(path: [UInt8])
    /// `tcp://host:port`; the host is a name, an IPv4 address or an IPv6 address in brackets.
    case tcp(host: [UInt8], port: UInt16)
    /// TLS 1.3 over TCP: `tls://host:port#PIN`. Without a pin, certificate authorities say who the worker is.
    case tls(host: [UInt8], port: UInt16, pin: CertificatePin?)
    /// Byte rings in shared memory, arranged over a Unix-domain socket: `shm:///run/roost/a.sock`.
    case sharedMemory(path: [UInt8])

    /// The longest path of a Unix-domain socket, in bytes.
    public static let pathByteCountMax = 107
    private static let hostByteCountMax = 255

    /// Parses an endpoint, without spaces around it; nil when it is none.
    public init?(utf8 text: some Sequence<UInt8>) {
        let bytes = [UInt8](text)
        if let path = Endpoint.rest(of: bytes, after: "unix://") {
            guard Endpoint.isPath(path) else { return nil }
            self = .unix(path: path)
        } else if let path = Endpoint.rest(of: bytes, after: "shm://") {
            guard Endpoint.isPath(path) else { return nil }
            self = .sharedMemory(path: path)
        } else if let place = Endpoint.rest(of: bytes, after: "tcp://") {
            guard let (host, port) = Endpoint.hostAndPort(place) else { return nil }
            self = .tcp(host: host, port: port)
        } else if let place = Endpoint.rest(of: bytes, after: "tls://") {
            guard let parsed = Endpoint.encrypted(place) else { return nil }
            self = parsed
        } else {
            return nil
        }
    }

    public init?(_ text: String) { self.init(utf8: text.utf8) }

    /// Parses endpoints with semicolons between them, as in `ROOST_ENDPOINT`; nil without any, or if one is wrong.
    public static func list(utf8 text: some Sequence<UInt8>) -> [Endpoint]? {
        var endpoints: [Endpoint] = []
        for part in [UInt8](text).split(separator: UInt8(ascii: ";")) {
            let trimmed = part.drop { $0 == UInt8(ascii: " ") }
            guard let endpoint = Endpoint(utf8: trimmed) else { return nil }
            endpoints.append(endpoint)
        }
        return endpoints.isEmpty ? nil : endpoints
    }

    /// Whether both ends are on one machine.
    public var isLocal: Bool {
        path != nil
    }

    /// The path of the Unix-domain socket, nil for TCP and TLS.
    public var path: [UInt8]? {
        switch self {
        case .unix(let path), .sharedMemory(let path): path
        case .tcp, .tls: nil
        }
    }

    private static func isPath(_ path: [UInt8]) -> Bool {
        path.first == UInt8(ascii: "/") && path.count > 1 && path.count <= pathByteCountMax && !path.contains(0)
    }

    private static func rest(of bytes: [UInt8], after prefix: StaticString) -> [UInt8]? {
        let count = prefix.utf8CodeUnitCount
        guard bytes.count >= count else { return nil }
        let isEqual = prefix.withUTF8Buffer { prefix in
            for (index, byte) in prefix.enumerated() where bytes[index] != byte { return false }
            return true
        }
        return isEqual ? [UInt8](bytes[count...]) : nil
    }

    /// `host:port`, or `host:port#PIN`.
    private static func encrypted(_ text: [UInt8]) -> Endpoint? {
        let parts = text.split(separator: UInt8(ascii: "#"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let place = parts.first, let (host, port) = hostAndPort([UInt8](place)) else { return nil }
        guard parts.count == 2 else { return .tls(host: host, port: port, pin: nil) }
        guard let pin = CertificatePin(utf8: parts[1]) else { return nil }
        return .tls(host: host, port: port, pin: pin)
    }

    private static func hostAndPort(_ place: [UInt8]) -> (host: [UInt8], port: UInt16)? {
        guard let colon = place.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        var host = [UInt8](place[..<colon])
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") {
            host = [UInt8](host.dropFirst().dropLast())
            guard host.allSatisfy(isAddressByte) else { return nil }
        } else {
            guard host.allSatisfy(isNameByte) else { return nil }
        }
        guard !host.isEmpty, host.count <= hostByteCountMax else { return nil }
        var port: UInt32 = 0
        let digits = place[(colon + 1)...]
        guard !digits.isEmpty, digits.count <= 5 else { return nil }
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            port = port * 10 + UInt32(digit &- UInt8(ascii: "0"))
        }
        guard let port = UInt16(exactly: port) else { return nil }
        return (host, port)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// Bytes of an IPv6 address, with the name of an interface after a percent sign.
    private static func isAddressByte(_ byte: UInt8) -> Bool {
        isNameByte(byte) || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "%")
    }
}

extension Endpoint: CustomStringConvertible {
    /// The text that ``init(_:)`` parses.
    public var description: String {
        switch self {
        case .unix(let path): "unix://" + String(decoding: path, as: UTF8.self)
        case .sharedMemory(let path): "shm://" + String(decoding: path, as: UTF8.self)
        case .tcp(let host, let port): "tcp://" + Endpoint.text(host, port)
        case .tls(let host, let port, nil): "tls://" + Endpoint.text(host, port)
        case .tls(let host, let port, .some(let pin)): "tls://" + Endpoint.text(host, port) + "#\(pin)"
        }
    }

    private static func text(_ host: [UInt8], _ port: UInt16) -> String {
        host.contains(UInt8(ascii: ":"))
            ? "[" + String(decoding: host, as: UTF8.self) + "]:\(port)"
            : String(decoding: host, as: UTF8.self) + ":\(port)"
    }
}
