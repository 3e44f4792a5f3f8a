import Certificates
import FleetModel
import Foundation

/// The administrator's token that a new control plane writes into its state directory, so that somebody can make
/// others.
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
