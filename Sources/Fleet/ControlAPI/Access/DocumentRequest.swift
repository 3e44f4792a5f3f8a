import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Fetches an identity provider's documents.
public enum DocumentRequest {
    private static let byteCountMax = 1 << 20

    /// A fetcher that uses HTTP; TLS certificates are checked against those that the machine trusts.
    public static func fetcher() -> DocumentFetcher {
        { address in
            var request = HTTPClientRequest(url: address)
            request.headers.add(name: "Accept", value: "application/json")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
            guard response.status == .ok else {
                throw ServerError("\(address) answered with status \(response.status.code)")
            }
            return Array(buffer: try await response.body.collect(upTo: byteCountMax))
        }
    }
}
