import GPUBackend
import Primitives
import Testing

@Suite("Tensor maps of a backend", .serialized)
struct TensorMapTests {
    /// Loads a box of 4 by 2 words by the map at `map` and writes it out.
    private static let kernel = """
        .version 8.0
        .target sm_90
        .address_size 64
        .visible .entry load(.param .u64 map, .param .u64 out) {
        .reg .pred %p<2>; .reg .b32 %r<8>; .reg .b64 %rd<8>;
        .shared .align 128 .b8 box[128]; .shared .align 8 .b64 arrived;
        ld.param.u64 %rd1, [map]; ld.param.u64 %rd2, [out]; mov.u32 %r1, %tid.x; setp.ne.u32 %p0, %r1, 0; @%p0 ret;
        mbarrier.init.shared.b64 [arrived], 1; mbarrier.arrive.expect_tx.shared.b64 %rd3, [arrived], 32;
        cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [box], [%rd1, {2, 1}],
        [arrived];
        ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [box]; st.global.v4.u32 [%rd2], {%r1, %r2, %r3, %r4};
        ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [box+16]; st.global.v4.u32 [%rd2+16], {%r1, %r2, %r3, %r4};
        ret; }
        """

    private static func encode(_ request: TensorMapRequest, _ context: any BackendContext) throws -> [UInt8] {
        let words = (0..<TensorMapRequest.wordCount).map { request.word($0) }
        return try words.withUnsafeBytes { try context.encodeTensorMap($0) }
    }

    private static func words(_ bytes: [UInt8]) -> [UInt32] {
        bytes.withUnsafeBytes { raw in
            (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
        }
    }

    @Test("a map is encoded for the device, works in a kernel, and gets another address", arguments: Kind.allCases)
    func encode(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let load = try machine.function("load", of: machine.module(Self.kernel))
        let (first, second) = (try machine.allocate(128), try machine.allocate(128))
        let (place, out) = (try machine.allocate(128), try machine.allocate(32))
        try machine.write((0..<32).map { $0 }, to: first)
        try machine.write((100..<132).map { $0 }, to: second)
        var request = TensorMapRequest(kind: .tiled)
        (request.elementType, request.rank, request.address) = (2, 2, first)
        (request.sizes[0], request.sizes[1], request.strides[0]) = (8, 4, 32)
        (request.box[0], request.box[1]) = (4, 2)
        let map = try Self.encode(request, machine.context)
        try machine.write(Self.words(map), to: place)
        try machine.launch(load, [place, out])
        #expect(try machine.read(8, from: out) == [10, 11, 12, 13, 18, 19, 20, 21])

        var change = TensorMapRequest(kind: .replaceAddress)
        change.address = second
        map.withUnsafeBytes { bytes in
            for index in 0..<16 { change.map[index] = bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self) }
        }
        try machine.write(Self.words(try Self.encode(change, machine.context)), to: place)
        try machine.launch(load, [place, out])
        #expect(try machine.read(8, from: out) == [110, 111, 112, 113, 118, 119, 120, 121])
    }

    @Test(
        "pixels are encoded too; malformed requests are invalid, and what the device lacks is not supported",
        arguments: Kind.allCases)
    func refuse(_ kind: Kind) throws {
        let machine = try Machine(kind)
        var request = TensorMapRequest(kind: .im2col)
        (request.elementType, request.rank, request.address) = (7, 4, machine.session.arena.base)
        request.sizes = [8, 6, 5, 2, 1]
        request.strides = [32, 192, 960, 0]
        (request.lowerCorner[0], request.upperCorner[1]) = (-1, -2)
        (request.channelCount, request.pixelCount) = (8, 16)
        let map = try #require(try? Self.encode(request, machine.context))
        let words = map.withUnsafeBytes { bytes in
            (0..<16).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
        }
        // Both devices are software GPUs in the end.
        let read = try #require(TensorMap(words: { words[$0] }))
        #expect(read == TensorMap(request))
        #expect(status { _ = try Self.encode(TensorMapRequest(kind: .replaceAddress), machine.context) } == 1)
        request.kind = .im2colWide
        #expect(status { _ = try Self.encode(request, machine.context) } == BackendStatus.notSupported)
        request.pixelCount = 0
        #expect(status { _ = try Self.encode(request, machine.context) } == BackendStatus.invalidValue)
        #expect(
            status {
                _ = try [UInt64](repeating: 0, count: 3).withUnsafeBytes { try machine.context.encodeTensorMap($0) }
            }
                == BackendStatus.invalidValue)
    }
}
