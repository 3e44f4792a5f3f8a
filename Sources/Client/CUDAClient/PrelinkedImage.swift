internal import CPosix
internal import ClientRuntime
internal import Primitives

/// Images of separately compiled programs: a wrapper of version 2 holds the linked image and the list of the images
/// that it was linked from. Where the linked one holds nothing that can be compiled for a device, the driver links
/// the others, when the program runs.
enum PrelinkedImage {
    private static let listCountMax = 4096
    private static let fatbinKind: UInt32 = 2
    private static let ptxKind: UInt16 = 1

    // SAFETY: only touched under `lock`. The bundles stay for ever, since libraries keep images without copies; the
    // same images make the same bundle, so a program has few.
    nonisolated(unsafe) private static var bundles: [UnsafeRawBufferPointer] = []
    private static let lock = Lock()

    /// The images to load in place of the linked one: a bundle of all in the list; nil when the linked one will do.
    static func bundle(linked: UnsafeRawBufferPointer, list: UnsafeRawPointer) -> UnsafeRawBufferPointer? {
        guard !holdsPTX(linked) else { return nil }
        var inputs: [LinkBundle.Input] = []
        // Behind the linked image's name a backend for a real GPU finds machine code that needs no linking.
        if linked.count > 16 {
            inputs.append(LinkBundle.Input(kind: fatbinKind, name: linkedName, content: [UInt8](linked)))
        }
        var hasPTX = false
        var index = 0
        while index < listCountMax {
            let bits = list.loadUnaligned(fromByteOffset: index &* 8, as: UInt.self)
            guard let pointer = UnsafeRawPointer(bitPattern: bits) else { break }
            guard pointer.loadUnaligned(as: UInt32.self) == ImageLength.fatbinMagic,
                let image = ImageLength.image(at: pointer)
            else { return nil }
            hasPTX = hasPTX || holdsPTX(image)
            inputs.append(LinkBundle.Input(kind: fatbinKind, name: [], content: [UInt8](image)))
            index &+= 1
        }
        return hasPTX ? kept(LinkBundle.encode(inputs)) : nil
    }

    private static var linkedName: [UInt8] {
        let name: StaticString = "linked"
        return [UInt8](UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }

    /// Whether one of a fatbin's entries is PTX.
    private static func holdsPTX(_ fatbin: UnsafeRawBufferPointer) -> Bool {
        guard fatbin.count >= 16 else { return false }
        var offset = Int(fatbin.loadUnaligned(fromByteOffset: 6, as: UInt16.self))
        while offset <= fatbin.count &- 64 {
            let kind = fatbin.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
            if kind == ptxKind { return true }
            let header = Int(fatbin.loadUnaligned(fromByteOffset: offset &+ 4, as: UInt32.self))
            let payload = fatbin.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self)
            guard header >= 64, payload <= UInt64(fatbin.count) else { return false }
            offset &+= header &+ Int(payload)
        }
        return false
    }

    private static func kept(_ bytes: [UInt8]) -> UnsafeRawBufferPointer? {
        lock.acquire()
        defer { lock.release() }
        return bytes.withUnsafeBytes { fresh -> UnsafeRawBufferPointer? in
            guard let start = fresh.baseAddress else { return nil }
            for known in bundles where known.count == fresh.count {
                if let other = known.baseAddress, memcmp(start, other, fresh.count) == 0 { return known }
            }
            guard let memory = malloc(fresh.count) else { return nil }
            CPosix.memcpy(memory, start, fresh.count)
            let result = UnsafeRawBufferPointer(start: memory, count: fresh.count)
            bundles.append(result)
            return result
        }
    }
}
