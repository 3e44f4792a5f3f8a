import Foundation

/// The dashboard's files, read once: an address can lead to nothing else.
public struct DashboardFiles: Sendable {
    /// One file.
    struct File: Sendable {
        let bytes: [UInt8]
        let mediaType: String
        let entityTag: String
    }

    private static let byteCountMax = 32 << 20
    private static let mediaTypes = [
        "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
        "svg": "image/svg+xml", "png": "image/png", "ico": "image/x-icon", "json": "application/json",
        "woff2": "font/woff2", "webmanifest": "application/manifest+json", "txt": "text/plain; charset=utf-8",
    ]

    private var files: [String: File] = [:]

    /// No files.
    public init() {}

    /// Reads a folder: at most 32 MiB, files of known types alone.
    public init(folder: String) throws {
        guard let walk = FileManager.default.enumerator(atPath: folder) else {
            throw ServerError("can't read the dashboard's folder \(folder)")
        }
        var byteCount = 0
        for case let path as String in walk where !path.split(separator: "/").contains(where: { $0.hasPrefix(".") }) {
            let ending = String(path.split(separator: ".").last ?? "")
            guard let mediaType = DashboardFiles.mediaTypes[ending],
                let data = FileManager.default.contents(atPath: "\(folder)/\(path)")
            else { continue }
            byteCount += data.count
            guard byteCount <= DashboardFiles.byteCountMax else {
                throw ServerError("the dashboard's folder \(folder) has more than 32 MiB; is it the right one?")
            }
            let tag = "\"\(sha256(data).prefix(32))\""
            files[path] = File(bytes: Array(data), mediaType: mediaType, entityTag: tag)
        }
        guard files["index.html"] != nil else { throw ServerError("\(folder) has no index.html") }
    }

    /// The file of a path below `/ui/`.
    func file(_ path: String) -> File? { files[path.isEmpty ? "index.html" : path] }
}
