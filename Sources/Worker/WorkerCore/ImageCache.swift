internal import Glibc
import Primitives
import Synchronization

/// Where a worker keeps the module images that it has loaded.
public struct ImageCacheSetting: Sendable, Equatable {
    /// An absolute path; made when it is missing, for this user alone.
    public var folder: String
    /// Bytes of all images together.
    public var byteCountMax: UInt64

    public init(folder: String, byteCountMax: UInt64 = 1 << 30) {
        self.folder = folder
        self.byteCountMax = byteCountMax
    }
}

/// Module images on the node's disk, by the hash of their content. All workers of a user on a node may share a folder.
///
/// A file's name says what is in it, and whoever reads it checks that, so no file is ever wrong: files appear by
/// rename, two writers of one image write the same, and one that was damaged counts as absent and is removed. What
/// nobody has used for the longest time goes first.
final class ImageCache: Sendable {
    private let folder: String
    private let byteCountMax: UInt64
    private let temporaryCount = Atomic<UInt64>(0)

    private static let suffix = ".image"
    /// A file that a dead worker left unfinished is removed after so many seconds.
    private static let abandonedSeconds = 3600

    /// Nil when the folder can't be used: it can't be made, or others could write or read it.
    init?(_ setting: ImageCacheSetting) {
        folder = setting.folder
        byteCountMax = setting.byteCountMax
        guard folder.hasPrefix("/"), Self.makeFolders(folder), Self.isPrivate(folder) else { return nil }
    }

    /// Fills `buffer` with the image of this hash and the buffer's size; false if it is not here.
    func read(_ hash: ContentHash, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        let path = path(of: hash)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var done = 0
        while done < buffer.count {
            guard let start = buffer.baseAddress else { return false }
            let count = Glibc.read(descriptor, start + done, buffer.count - done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            done += count
        }
        guard done == buffer.count, ContentHash(of: UnsafeRawBufferPointer(buffer)) == hash else {
            unlink(path)
            return false
        }
        // The time of the file is the time of its last use.
        futimens(descriptor, nil)
        return true
    }

    /// Keeps an image, if it is not larger than all of the cache.
    func write(_ image: UnsafeRawBufferPointer, _ hash: ContentHash) {
        guard image.count > 0, UInt64(image.count) <= byteCountMax else { return }
        let path = path(of: hash)
        guard access(path, F_OK) != 0 else { return }
        makeRoom(for: UInt64(image.count))
        let number = temporaryCount.add(1, ordering: .relaxed).newValue
        let temporary = "\(folder)/.\(getpid())-\(number)"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        var done = 0
        while done < image.count, let start = image.baseAddress {
            let count = Glibc.write(descriptor, start + done, image.count - done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            done += count
        }
        let isWritten = close(descriptor) == 0 && done == image.count
        // After a power failure the file may be empty; its reader notices.
        guard isWritten, rename(temporary, path) == 0 else {
            unlink(temporary)
            return
        }
    }

    // MARK: - The folder

    private func path(of hash: ContentHash) -> String {
        folder + "/" + String(decoding: hash.digits, as: UTF8.self) + Self.suffix
    }

    private struct Entry {
        var path: String
        var byteCount: UInt64
        var lastUse: (seconds: Int, nanoseconds: Int)
    }

    /// Removes the images that were not used for the longest time until there is room.
    private func makeRoom(for byteCount: UInt64) {
        var entries = self.entries()
        var total = entries.reduce(0) { $0 + $1.byteCount }
        guard total + byteCount > byteCountMax else { return }
        entries.sort { $0.lastUse < $1.lastUse }
        for entry in entries where total + byteCount > byteCountMax {
            unlink(entry.path)
            total -= min(total, entry.byteCount)
        }
    }

    private func entries() -> [Entry] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var entries: [Entry] = []
        let now = time(nil)
        while let item = readdir(stream) {
            let name = withUnsafeBytes(of: item.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            let path = folder + "/" + name
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            guard name.hasSuffix(Self.suffix) else {
                if name.hasPrefix("."), now - status.st_mtim.tv_sec > Self.abandonedSeconds { unlink(path) }
                continue
            }
            entries.append(
                Entry(
                    path: path, byteCount: UInt64(max(0, status.st_size)),
                    lastUse: (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)))
        }
        return entries
    }

    private static func makeFolders(_ path: String) -> Bool {
        var partial = ""
        for part in path.split(separator: "/") {
            partial += "/" + part
            if mkdir(partial, 0o700) != 0, errno != EEXIST { return false }
        }
        return true
    }

    /// Whether the folder belongs to this user, and nobody else may enter it.
    private static func isPrivate(_ path: String) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid() else {
            return false
        }
        return status.st_mode & 0o077 == 0 || chmod(path, 0o700) == 0
    }
}
