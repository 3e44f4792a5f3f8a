import Foundation
import Glibc

/// A folder of one test's own, with a path short enough for sockets; removed with this value.
final class ScratchFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/roost-test.XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw CocoaError(.fileWriteUnknown) }
        path = String(cString: made)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// A file's permission bits.
    func permissions(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
}
