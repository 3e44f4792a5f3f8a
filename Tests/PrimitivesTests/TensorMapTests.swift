import Primitives
import Testing

@Suite("Tensor maps")
struct TensorMapTests {
    /// 64 by 64 single floats, in boxes of 16 by 16.
    private static var tiled: TensorMapRequest {
        var request = TensorMapRequest(kind: .tiled)
        (request.elementType, request.rank, request.address) = (7, 2, 0x1000)
        (request.sizes[0], request.sizes[1]) = (64, 64)
        request.strides[0] = 256
        (request.box[0], request.box[1]) = (16, 16)
        return request
    }

    /// 4 images of 9 by 14 pixels of 64 halves.
    private static var pixels: TensorMapRequest {
        var request = TensorMapRequest(kind: .im2col)
        (request.elementType, request.rank, request.address) = (6, 4, 0x1000)
        request.sizes = [64, 9, 14, 4, 1]
        request.strides = [128, 1152, 16_128, 0]
        (request.channelCount, request.pixelCount) = (8, 64)
        (request.lowerCorner, request.upperCorner) = ([-1, -1, 0], [-1, -1, 0])
        return request
    }

    private static func changed(
        _ request: TensorMapRequest, _ change: (inout TensorMapRequest) -> Void
    ) -> TensorMapRequest {
        var request = request
        change(&request)
        return request
    }

    private static let wrong: [(String, TensorMapRequest)] = [
        ("type", changed(tiled) { $0.elementType = 16 }), ("rank 0", changed(tiled) { $0.rank = 0 }),
        ("rank 6", changed(tiled) { $0.rank = 6 }), ("address", changed(tiled) { $0.address = 0x1008 }),
        ("no size", changed(tiled) { $0.sizes[1] = 0 }), ("large size", changed(tiled) { $0.sizes[0] = 1 << 32 + 1 }),
        ("stride", changed(tiled) { $0.strides[0] = 264 }), ("long stride", changed(tiled) { $0.strides[0] = 1 << 40 }),
        ("no box", changed(tiled) { $0.box[1] = 0 }), ("large box", changed(tiled) { $0.box[1] = 257 }),
        ("narrow box", changed(tiled) { $0.box[0] = 6 }), ("no step", changed(tiled) { $0.elementStrides[1] = 0 }),
        ("long step", changed(tiled) { $0.elementStrides[1] = 9 }), ("swizzle", changed(tiled) { $0.swizzle = 7 }),
        ("box beyond swizzle", changed(tiled) { $0.swizzle = 1 }), ("fill", changed(tiled) { $0.fill = 2 }),
        ("NaN of integers", changed(tiled) { ($0.elementType, $0.fill) = (2, 1) }),
        ("promotion", changed(tiled) { $0.cachePromotion = 4 }), ("interleave", changed(tiled) { $0.interleave = 3 }),
        ("interleave of rank 2", changed(tiled) { $0.interleave = 1 }),
        ("pixels of rank 2", changed(pixels) { $0.rank = 2 }), ("corner", changed(pixels) { $0.lowerCorner[0] = -129 }),
        ("far corner", changed(pixels) { $0.upperCorner[1] = 128 }),
        ("empty box", changed(pixels) { ($0.lowerCorner[0], $0.upperCorner[0]) = (4, -5) }),
        ("channels", changed(pixels) { $0.channelCount = 257 }), ("no pixels", changed(pixels) { $0.pixelCount = 0 }),
        ("pixels", changed(pixels) { $0.pixelCount = 1025 }),
        ("channels beyond swizzle", changed(pixels) { ($0.channelCount, $0.swizzle) = (64, 2) }),
        (
            "interleave by 32 without its swizzle",
            changed(pixels) { ($0.interleave, $0.strides) = (2, [128, 1152, 16_128, 0]) }
        ),
        ("interleaved wide pixels", changed(pixels) { ($0.kind, $0.interleave) = (.im2colWide, 1) }),
        ("address to replace", changed(tiled) { ($0.kind, $0.address) = (.replaceAddress, 8) }),
        ("packed size", changed(tiled) { ($0.elementType, $0.sizes[0], $0.box[0]) = (13, 63, 32) }),
        ("packed box", changed(tiled) { ($0.elementType, $0.sizes[0], $0.box[0]) = (14, 128, 64) }),
        ("packed swizzle", changed(tiled) { ($0.elementType, $0.sizes[0], $0.box[0], $0.swizzle) = (15, 128, 128, 1) }),
    ]

    @Test("What CUDA's rules forbid is refused", arguments: wrong.indices)
    func refused(index: Int) {
        #expect(Self.tiled.isValid && Self.pixels.isValid)
        #expect(!Self.wrong[index].1.isValid, "\(Self.wrong[index].0)")
    }

    private static let right: [(String, TensorMapRequest)] = [
        ("the first step counts for nothing", changed(tiled) { $0.elementStrides[0] = 0 }),
        ("a size of 2^32", changed(tiled) { $0.sizes[1] = 1 << 32 }),
        ("one dimension", changed(tiled) { ($0.rank, $0.strides[0]) = (1, 1) }),
        ("NaN of floats", changed(tiled) { $0.fill = 1 }),
        ("a swizzle as wide as the box", changed(tiled) { ($0.box[0], $0.swizzle) = (32, 3) }),
        (
            "one corner of 16 bits",
            changed(pixels) {
                $0.rank = 3
                ($0.lowerCorner[0], $0.upperCorner[0], $0.sizes[1]) = (-32_768, 32_767, 9)
            }
        ),
        (
            "wide pixels without their number",
            changed(pixels) { ($0.kind, $0.wideMode, $0.pixelCount) = (.im2colWide, 1, 0) }
        ),
        ("interleave by 32", changed(pixels) { ($0.interleave, $0.swizzle, $0.address) = (2, 1, 0x1020) }),
        ("packed", changed(tiled) { ($0.elementType, $0.sizes[0], $0.box[0], $0.swizzle) = (14, 128, 128, 3) }),
    ]

    @Test("What CUDA's rules allow is taken, and crosses the wire as it is", arguments: right.indices)
    func allowed(index: Int) throws {
        let (name, request) = Self.right[index]
        #expect(request.isValid, "\(name)")
        let words = (0..<TensorMapRequest.wordCount).map { request.word($0) }
        let read = try #require(TensorMapRequest(words: { words[$0] }))
        #expect((0..<TensorMapRequest.wordCount).map { read.word($0) } == words)
        #expect(read.kind == request.kind && read.lowerCorner[0] == request.lowerCorner[0])
        #expect(read.sizes[1] == request.sizes[1] && read.swizzle == request.swizzle)
    }

    @Test("The software GPU's map holds what it was made of")
    func encoding() throws {
        let box = try #require(TensorMap(Self.changed(Self.tiled) { ($0.fill, $0.elementStrides[1]) = (1, 3) }))
        let readBox = try #require(TensorMap(words: { box.word($0) }))
        #expect(readBox == box)
        #expect(readBox.sizes[1] == 64 && readBox.strides[0] == 256 && readBox.address == 0x1000)
        #expect(readBox.boxCount(0) == 16 && readBox.boxCount(1) == 6 && readBox.fillsNaN && !readBox.hasPixels)
        #expect(readBox.rowByteCount == 64 && readBox.rowCount == 6)
        let pixels = try #require(TensorMap(Self.pixels))
        let readPixels = try #require(TensorMap(words: { pixels.word($0) }))
        #expect(readPixels == pixels)
        #expect(readPixels.hasPixels && readPixels.channelCount == 8 && readPixels.pixelCount == 64)
        #expect(readPixels.lowerCorner[1] == -1 && readPixels.upperCorner[0] == -1 && readPixels.rowByteCount == 16)
    }

    @Test("The software GPU has no map of packed types, interleaving, large chunks or boxes narrower than a swizzle")
    func lacking() {
        let lacking = [
            Self.changed(Self.tiled) { ($0.elementType, $0.sizes[0], $0.box[0]) = (14, 128, 128) },
            Self.changed(Self.pixels) { $0.interleave = 1 },
            Self.changed(Self.tiled) { ($0.box[0], $0.swizzle) = (32, 4) },
            Self.changed(Self.tiled) { $0.swizzle = 3 }, Self.changed(Self.pixels) { $0.kind = .im2colWide },
        ]
        for request in lacking {
            #expect(request.isValid)
            #expect(TensorMap(request) == nil)
        }
    }

    @Test("Bytes that are no map are none")
    func garbage() throws {
        let map = try #require(TensorMap(Self.tiled))
        let words = (0..<TensorMap.wordCount).map { map.word($0) }
        func changed(_ index: Int, _ word: UInt64) -> TensorMap? {
            var changed = words
            changed[index] = word
            return TensorMap(words: { changed[$0] })
        }
        #expect(changed(1, 0x2000)?.address == 0x2000)
        #expect(changed(0, 0) == nil)
        #expect(changed(0, words[0] | 7 << 32) == nil)
        #expect(changed(1, 0x2004) == nil)
        #expect(changed(5, 1 << 40) == nil)
        #expect(changed(9, 0) == nil)
        #expect(changed(11, 0) == nil)
    }
}
