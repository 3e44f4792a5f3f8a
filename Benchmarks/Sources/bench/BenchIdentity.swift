import Foundation

/// A certificate for the workers that are measured over TLS, made anew for each run.
struct BenchIdentity {
    /// The SHA-256 of its key, as endpoints have it.
    let pin: String
    private let folder: URL

    init() throws {
        let name = "roost-bench-tls-\(ProcessInfo.processInfo.processIdentifier)"
        folder = FileManager.default.temporaryDirectory.appending(path: name)
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=bench"
        _ = try Self.openssl(words + " -keyout node.key -out node.crt", in: folder)
        _ = try Self.openssl("pkey -in node.key -pubout -outform der -out node.der", in: folder)
        pin = String(try Self.openssl("dgst -sha256 -r node.der", in: folder).prefix(64))
    }

    var certificate: String { folder.appending(path: "node.crt").path }
    var key: String { folder.appending(path: "node.key").path }

    /// What `bench-raw` needs to measure bare OpenSSL.
    var environment: [String: String] { ["BENCH_TLS_CERTIFICATE": certificate, "BENCH_TLS_KEY": key] }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    private static func openssl(_ words: String, in folder: URL) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + words.split(separator: " ").map(String.init)
        process.currentDirectoryURL = folder
        process.standardError = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw BenchFailure(description: "openssl \(words) failed") }
        return String(decoding: data, as: UTF8.self)
    }
}
