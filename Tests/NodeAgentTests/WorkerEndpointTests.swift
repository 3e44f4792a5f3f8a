import Foundation
import NodeModel
import Testing

@testable import NodeAgent

@Suite("Worker endpoints")
struct WorkerEndpointTests {
    /// A certificate that vouches for itself, and its key.
    private func identity(in folder: ScratchFolder) throws -> TLSIdentityFiles {
        let files = TLSIdentityFiles(certificate: folder.path + "/node.crt", key: folder.path + "/node.key")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=node", "-keyout", files.key, "-out", files.certificate,
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return files
    }

    @Test("With a certificate clients are told its pin, and programs of the node have a shorter way")
    func encrypted() throws {
        let folder = try ScratchFolder()
        let files = try identity(in: folder)
        let endpoints = try WorkerEndpoints(.tls, socketPath: "/s", address: "127.0.0.1", identity: files)
        let pin = try files.pin()
        #expect(pin.utf8.count == 64)
        #expect(endpoints.forClients.hasPrefix("tls://127.0.0.1:"))
        #expect(endpoints.forClients.hasSuffix("#" + pin))
        #expect(endpoints.listening == [endpoints.forClients, "shm:///s"])
    }

    @Test("Without a certificate, or with one that can't be used, the node says what to do")
    func refused() throws {
        let folder = try ScratchFolder()
        let missing = #expect(throws: AgentError.self) { try WorkerEndpoints(.tls, socketPath: "/s") }
        #expect(missing?.message.contains("--tls-certificate") == true)
        let files = try identity(in: folder)
        #expect(chmod(files.key, 0o644) == 0)
        let exposed = #expect(throws: AgentError.self) {
            try WorkerEndpoints(.tls, socketPath: "/s", identity: files)
        }
        #expect(exposed?.message.contains("chmod 600") == true)
    }
}
