import Foundation
import Testing
import Transport

/// Certificates that the `openssl` command makes once for all tests, with an authority of their own.
final class TestCertificates: Sendable {
    static let shared = Result { try TestCertificates() }

    private let folder: URL

    /// The identity of a worker at 127.0.0.1 and localhost.
    static func own() throws -> TLSIdentity { try shared.get().identity("worker") }

    private init() throws {
        let name = "roost-test-tls-\(ProcessInfo.processInfo.processIdentifier)"
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        TestCertificates.removeAtExit(folder.path)
        for (name, text) in [("c", TestCertificates.configuration), ("index", "")] {
            try text.write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
        }
        try openssl(
            "req -x509 -config c -extensions authority_part -days 30 -subj /CN=authority -keyout authority.key "
                + "-out authority.crt " + TestCertificates.newKey)
        for (name, part, end) in [
            ("worker", "worker_part", "20491231235959Z"), ("elsewhere", "elsewhere_part", "20491231235959Z"),
            ("expired", "worker_part", "20210101000000Z"),
        ] {
            try openssl(
                "req -new -config c -subj /CN=\(name) -keyout \(name).key -out \(name).csr "
                    + TestCertificates.newKey)
            try openssl(
                "ca -batch -notext -config c -cert authority.crt -keyfile authority.key -in \(name).csr "
                    + "-out \(name).crt -extensions \(part) -startdate 20200101000000Z -enddate \(end)")
        }
    }

    private static let newKey = "-nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
    private static let configuration = """
        [req]
        distinguished_name = subject
        [subject]
        [ca]
        default_ca = own
        [own]
        database = index
        new_certs_dir = .
        rand_serial = yes
        unique_subject = no
        default_md = sha256
        policy = policy
        [policy]
        commonName = supplied
        [authority_part]
        basicConstraints = critical,CA:TRUE
        [worker_part]
        subjectAltName = DNS:localhost,IP:127.0.0.1
        [elsewhere_part]
        subjectAltName = DNS:elsewhere.example
        """

    func file(_ name: String) -> String { folder.appendingPathComponent(name).path }

    func identity(_ name: String) throws -> TLSIdentity {
        try TLSIdentity(certificateFile: file("\(name).crt"), keyFile: file("\(name).key"))
    }

    /// Runs the command in the folder; what it wrote.
    @discardableResult
    func openssl(_ arguments: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
        process.currentDirectoryURL = folder
        let output = Pipe()
        let complaints = Pipe()
        process.standardOutput = output
        process.standardError = complaints
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let complaint = complaints.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let reason = String(decoding: complaint, as: UTF8.self)
        try #require(process.terminationStatus == 0, "openssl \(arguments): \(reason)")
        return String(decoding: text, as: UTF8.self)
    }

    // SAFETY: set once, before the process ends.
    nonisolated(unsafe) private static var removed = ""

    private static func removeAtExit(_ path: String) {
        removed = path
        atexit { try? FileManager.default.removeItem(atPath: TestCertificates.removed) }
    }
}
