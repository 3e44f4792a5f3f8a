import Certificates
import ControlAPI
import Foundation
import Glibc

extension ServerIdentity {
    /// Whether the cluster's authority signed it.
    var isMade: Bool {
        if case .made = self { true } else { false }
    }

    /// The identity that a command line asks for: files; else, where names are given or other machines reach the
    /// server, a certificate of the cluster's authority, anew at each start; else nil, for no TLS.
    init?(_ options: ServeCommand, address: ListenAddress, authority: CertificateAuthority) throws {
        switch (options.tlsCert, options.tlsKey) {
        case (let certificate?, let key?):
            self = .files(certificate: certificate, key: key)
            return
        case (nil, nil): break
        default: throw ServerError("TLS needs both files: give --tls-cert and --tls-key")
        }
        var names = options.tlsNames?.split(separator: ",").map(String.init) ?? []
        if names.isEmpty {
            guard !address.isLoopback else { return nil }
            names = ServerIdentity.ownNames(listeningAt: address.host)
        }
        let made = try authority.serverIdentity(names: names, now: Surroundings.real.now())
        self = .made(chain: made.chainPEM, key: made.keyPEM)
    }

    /// How clients may call this machine.
    private static func ownNames(listeningAt host: String) -> [String] {
        var names = [host, ProcessInfo.processInfo.hostName, "localhost", "127.0.0.1", "::1"]
        if ["0.0.0.0", "::"].contains(host) { names.replaceSubrange(0..<1, with: interfaceAddresses()) }
        var seen = Set<String>()
        return names.filter { SubjectNames.objection(toAddress: $0) == nil && seen.insert($0).inserted }
    }

    /// The addresses of the machine's interfaces.
    private static func interfaceAddresses() -> [String] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        return sequence(first: first) { $0?.pointee.ifa_next }.prefix { $0 != nil }.compactMap { entry in
            guard let address = entry?.pointee.ifa_addr, [AF_INET, AF_INET6].contains(Int32(address.pointee.sa_family))
            else { return nil }
            let isFour = Int32(address.pointee.sa_family) == AF_INET
            let length = isFour ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            guard
                getnameinfo(address, socklen_t(length), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            else { return nil }
            // A link's own address has its interface's name behind a percent sign, and is of no use elsewhere.
            let name = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            return name.contains("%") ? nil : name
        }
    }
}
