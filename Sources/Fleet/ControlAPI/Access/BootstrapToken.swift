import FleetModel
import Foundation

/// The administrator's token that a new control plane writes into its state directory, so that somebody can make others.
public struct BootstrapToken: Sendable {
    /// The file, readable by its owner alone.
    public let path: String
    private let tokens: TokenStore

    /// Looks after the file `admin.token` of a folder.
    public init(folder: String, tokens: TokenStore) {
        path = folder + "/admin.token"
        self.tokens = tokens
    }

    /// Keeps the token in the file where the store knows it, or writes a new one.
    public func ensure() async throws {
        if let text = try? String(contentsOfFile: path, encoding: .utf8) {
            let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
            if (try? await tokens.identity(of: token)) != nil { return }
        }
        let request = TokenRequest(
            subject: "bootstrap-admin", grants: [Grant(.admin)], expiresIn: TokenRequest.spanMax,
            description: "written to \(path) when the control plane started")
        let made = try await tokens.make(request, by: "roost-server")
        try PrivateFile.write(made.token + "\n", to: path)
    }
}

/// Writes files that only their owner may read.
enum PrivateFile {
    /// Replaces a file at once: no reader sees half of it, and it never was readable by others.
    static func write(_ text: String, to path: String) throws {
        let temporary = "\(path).\(UUID().uuidString)"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw ServerError("can't write \(temporary): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Foundation.write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0,
            rename(temporary, path) == 0
        else {
            unlink(temporary)
            throw ServerError("can't write \(path): \(String(cString: strerror(errno)))")
        }
    }
}
