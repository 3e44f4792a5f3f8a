import Primitives
import SIMT
import Testing

@Suite("Tensor copies")
struct TensorCopyTests {
    private static let untouched: UInt32 = 0x5555_5555

    /// A tensor of words, each its own index, dense but for `padding` words after each row.
    private struct Tensor {
        var sizes: [Int]
        var padding = 0

        var wordStrides: [Int] {
            var strides = [1, sizes[0] + padding]
            for size in sizes.dropFirst() { strides.append((strides.last ?? 0) * size) }
            return strides
        }
        var wordCount: Int { wordStrides[sizes.count] }
        var values: [UInt32] { (0..<UInt32(wordCount)).map { $0 + 1 } }

        /// The word at a position, or `outside`.
        func word(_ position: [Int], outside: UInt32 = 0) -> UInt32 {
            for (index, size) in zip(position, sizes) where !(0..<size).contains(index) { return outside }
            return UInt32(zip(position, wordStrides).map { $0 * $1 }.reduce(1, +))
        }

        func request(_ kind: TensorMapRequest.Kind, at address: UInt64, type: UInt32 = 2) -> TensorMapRequest {
            var request = TensorMapRequest(kind: kind)
            (request.elementType, request.rank, request.address) = (type, UInt32(sizes.count), address)
            for (index, size) in sizes.enumerated() {
                request.sizes[index] = UInt64(size)
                if index > 0 { request.strides[index - 1] = UInt64(wordStrides[index] * 4) }
            }
            return request
        }

        func tiled(_ box: [Int], steps: [Int] = [], at address: UInt64, type: UInt32 = 2) -> TensorMapRequest {
            var request = request(.tiled, at: address, type: type)
            for (index, size) in box.enumerated() { request.box[index] = UInt32(size) }
            for (index, step) in steps.enumerated() { request.elementStrides[index] = UInt32(step) }
            return request
        }
    }

    /// Uploads the map of a request.
    private static func map(_ request: TensorMapRequest, _ machine: Machine) throws -> UInt64 {
        #expect(request.isValid)
        let map = try #require(TensorMap(request))
        return try machine.upload((0..<TensorMap.wordCount).map { map.word($0) })
    }

    private static func list(_ numbers: [Int]) -> String { "{" + numbers.map { "\($0)" }.joined(separator: ", ") + "}" }

    private static func loading(_ origin: [Int], byteCount: Int) -> String {
        """
        fence.proxy.tensormap::generic.acquire.gpu [%p0], 128; prefetch.tensormap [%p0];
        mbarrier.arrive.expect_tx.shared.b64 %d0, [cell], \(byteCount);
        cp.async.bulk.tensor.\(origin.count)d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [tile],
        [%p0, \(list(origin))], [cell];
        """
    }

    /// All positions of a box, the first dimension fastest.
    private static func positions(_ origin: [Int], _ box: [Int], _ steps: [Int]) -> [[Int]] {
        var all: [[Int]] = [[]]
        for (dimension, size) in box.enumerated() {
            let step = steps.isEmpty ? 1 : steps[dimension]
            all = stride(from: 0, to: size, by: step).flatMap { offset in all.map { $0 + [origin[dimension] + offset] }
            }
        }
        return all
    }

    @Test(
        "A box is copied row by row, with zeros for what is outside of the tensor",
        arguments: [
            ([20], [8], [14], []), ([20], [8], [-3], []), ([10, 6], [4, 3], [8, 4], []),
            ([10, 6], [4, 3], [-2, -1], []),
            ([8, 5, 4], [4, 2, 3], [2, 4, 2], []), ([4, 3, 3, 2], [4, 2, 2, 2], [0, 2, -1, 1], []),
            ([4, 3, 2, 3, 2], [4, 2, 1, 2, 2], [0, 1, 1, 2, 0], []), ([16, 9], [4, 8], [5, 0], [1, 2]),
            ([8, 7, 6], [8, 5, 6], [0, 1, 0], [1, 2, 3]), ([8, 4], [8, 4], [100, 0], []),
        ] as [([Int], [Int], [Int], [Int])])
    func boxes(sizes: [Int], box: [Int], origin: [Int], steps: [Int]) throws {
        let machine = try Machine()
        // Rows of words lie apart by multiples of 16 bytes.
        let tensor = Tensor(sizes: sizes, padding: 4 + (4 - sizes[0] % 4) % 4)
        let map = try Self.map(tensor.tiled(box, steps: steps, at: machine.upload(tensor.values)), machine)
        let expected = Self.positions(origin, box, steps).map { tensor.word($0) }
        let outcome = try TileKernel.run(machine, Self.loading(origin, byteCount: expected.count * 4), map)
        #expect(outcome.result.fault == .none, "\(outcome.result.message)")
        #expect(Array(outcome.tile.prefix(expected.count)) == expected)
        #expect(outcome.tile.dropFirst(expected.count).allSatisfy { $0 == Self.untouched })
        #expect(outcome.isPhaseOver)
    }

    @Test("What is outside of a tensor of floats can be NaN")
    func notANumber() throws {
        let machine = try Machine()
        let tensor = Tensor(sizes: [8, 2])
        var request = try tensor.tiled([4, 2], at: machine.upload(tensor.values), type: 7)
        request.fill = 1
        let outcome = try TileKernel.run(
            machine, Self.loading([6, 1], byteCount: 32), Self.map(request, machine))
        #expect(outcome.result.fault == .none, "\(outcome.result.message)")
        #expect(Array(outcome.tile.prefix(2)) == [15, 16])
        #expect(outcome.tile[2..<8].allSatisfy { Float(bitPattern: $0).isNaN })
        #expect(outcome.tile[8] == Self.untouched)
    }

    @Test(
        "Swizzles exchange chunks of 16 bytes by the number of the row",
        arguments: [
            (1, 32), (2, 64), (3, 128),
        ] as [(UInt32, Int)])
    func swizzles(swizzle: UInt32, span: Int) throws {
        let machine = try Machine()
        let (words, rows) = (span / 4, 16)
        let tensor = Tensor(sizes: [words + 4, rows])
        var request = try tensor.tiled([words, rows], at: machine.upload(tensor.values))
        request.swizzle = swizzle
        let map = try Self.map(request, machine)
        let outcome = try TileKernel.run(machine, Self.loading([0, 0], byteCount: span * rows), map)
        #expect(outcome.result.fault == .none, "\(outcome.result.message)")
        // Rows of 128 bytes of shared memory hold several narrow rows, which are swizzled alike.
        let rowsOfLine = 128 / span
        for row in 0..<rows {
            for word in 0..<words {
                let chunk = word / 4 ^ (row / rowsOfLine) % (span / 16)
                #expect(outcome.tile[row * words + chunk * 4 + word % 4] == tensor.word([word, row]))
            }
        }
        // The way back undoes it.
        let target = try machine.upload([UInt32](repeating: 0, count: tensor.wordCount))
        request.address = target
        let back = try TileKernel.run(
            machine,
            """
            cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%p0, {0, 0}], [tile];
            cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;
            """, Self.map(request, machine), tile: outcome.tile)
        #expect(back.result.fault == .none, "\(back.result.message)")
        let stored = try machine.download(target, UInt32.self, count: tensor.wordCount)
        for row in 0..<rows {
            for word in 0..<words + 4 {
                #expect(stored[row * (words + 4) + word] == (word < words ? tensor.word([word, row]) : 0))
            }
        }
    }

    @Test("Stores leave out what is outside, and reductions combine with what is there")
    func stores() throws {
        let machine = try Machine()
        let tensor = Tensor(sizes: [8, 3])
        func store(_ form: String, type: UInt32 = 2) throws -> (FaultCode, [UInt32]) {
            let target = try machine.upload(tensor.values)
            let map = try Self.map(tensor.tiled([4, 2], at: target, type: type), machine)
            let outcome = try TileKernel.run(
                machine, "cp.\(form).bulk_group [%p0, {6, 2}], [tile];", map, tile: (0..<8).map { 100 + $0 })
            return (outcome.result.fault, try machine.download(target, UInt32.self, count: 24))
        }
        let rest = Array(1...22) as [UInt32]
        let plain = try store("async.bulk.tensor.2d.global.shared::cta.tile")
        #expect(plain.0 == .none)
        #expect(plain.1 == rest + [100, 101])
        let sum = try store("reduce.async.bulk.tensor.2d.global.shared::cta.add.tile")
        #expect(sum.1 == rest + [123, 125])
        let most = try store("reduce.async.bulk.tensor.2d.global.shared::cta.max.tile", type: 3)
        #expect(most.1 == rest + [100, 101])
        // Single floats only add.
        #expect(try store("reduce.async.bulk.tensor.2d.global.shared::cta.max.tile", type: 7).0 == .illegalInstruction)
    }

    // MARK: - Pixels

    /// The map of pixels of one float's four channels each, numbered from 1.
    private static func pixels(
        _ sizes: [Int], lower: [Int], upper: [Int], count: Int, steps: [Int] = [], _ machine: Machine
    ) throws -> UInt64 {
        let places = sizes.dropFirst().reduce(1, *)
        let values = (0..<places).flatMap { place in (0..<4).map { UInt32((place + 1) * 10 + $0) } }
        var request = Tensor(sizes: sizes).request(.im2col, at: try machine.upload(values))
        (request.channelCount, request.pixelCount) = (4, UInt32(count))
        for (index, corner) in lower.enumerated() { request.lowerCorner[index] = Int32(corner) }
        for (index, corner) in upper.enumerated() { request.upperCorner[index] = Int32(corner) }
        for (index, step) in steps.enumerated() { request.elementStrides[index + 1] = UInt32(step) }
        return try map(request, machine)
    }

    private static func load(
        _ map: UInt64, _ origin: [Int], offsets: [Int], count: Int, _ machine: Machine
    ) throws -> [Int] {
        let shifts = (["%h0"] + offsets.dropFirst().map { "\($0)" }).joined(separator: ", ")
        let outcome = try TileKernel.run(
            machine,
            """
            mov.u16 %h0, \(offsets[0]);
            mbarrier.arrive.expect_tx.shared.b64 %d0, [cell], \(count * 16);
            cp.async.bulk.tensor.\(origin.count)d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [tile],
            [%p0, \(list(origin))], [cell], {\(shifts)};
            """, map)
        #expect(outcome.result.fault == .none, "\(outcome.result.message)")
        let isPhaseOver = outcome.isPhaseOver
        #expect(isPhaseOver)
        #expect(outcome.tile[count * 4] == untouched)
        return (0..<count).map { pixel in
            let words = outcome.tile[pixel * 4..<pixel * 4 + 4].map { Int($0) }
            #expect(words == (words[0] == 0 ? [0, 0, 0, 0] : (0..<4).map { words[0] + $0 }))
            return words[0] / 10
        }
    }

    @Test("Pixels follow each other within their box, row after row and image after image")
    func pixelOrder() throws {
        let machine = try Machine()
        let whole = try Self.pixels([4, 4, 4, 2], lower: [0, 0], upper: [0, 0], count: 16, machine)
        #expect(try Self.load(whole, [0, 3, 1, 0], offsets: [0, 0], count: 16, machine) == Array(8...23))
        let shifted = try Self.pixels([4, 4, 4, 2], lower: [-1, -1], upper: [-1, -1], count: 16, machine)
        #expect(
            try Self.load(shifted, [0, 2, 1, 0], offsets: [0, 0], count: 16, machine)
                == [7, 0, 9, 10, 11, 0, 0, 0, 0, 0, 17, 18, 19, 0, 21, 22])
        // Offsets move the box with its pixels.
        #expect(try Self.load(shifted, [0, -1, -1, 0], offsets: [1, 1], count: 16, machine) == Array(1...16))
        #expect(
            try Self.load(shifted, [0, -1, -1, 1], offsets: [2, 0], count: 16, machine)
                == [0, 0, 0, 0, 18, 19, 20, 0, 22, 23, 24, 0, 26, 27, 28, 0])
    }

    @Test("Steps leave pixels out, and tensors of three and five dimensions have one and three offsets")
    func pixelForms() throws {
        let machine = try Machine()
        let stepped = try Self.pixels([4, 4, 4, 2], lower: [0, 0], upper: [0, 0], count: 6, steps: [2, 2], machine)
        #expect(try Self.load(stepped, [0, 0, 0, 0], offsets: [0, 0], count: 6, machine) == [1, 3, 9, 11, 17, 19])
        let line = try Self.pixels([4, 5, 3], lower: [-1], upper: [-2], count: 7, machine)
        #expect(try Self.load(line, [0, 1, 0], offsets: [1], count: 7, machine) == [3, 4, 6, 7, 8, 9, 11])
        let volume = try Self.pixels(
            [4, 2, 2, 2, 2], lower: [0, 0, 0], upper: [0, 0, 0], count: 6, machine)
        #expect(
            try Self.load(volume, [0, 1, 0, 1, 0], offsets: [0, 0, 0], count: 6, machine) == [6, 7, 8, 9, 10, 11])
        #expect(try Self.load(volume, [0, 0, 0, 0, 0], offsets: [1, 0, 1], count: 6, machine) == [6, 0, 8, 0, 0, 0])
    }

    @Test("Pixels go back to their tensor, without offsets")
    func pixelStore() throws {
        let machine = try Machine()
        let map = try Self.pixels([4, 2, 2, 1], lower: [0, 0], upper: [0, 0], count: 3, machine)
        let outcome = try TileKernel.run(
            machine,
            """
            cp.async.bulk.tensor.4d.global.shared::cta.im2col_no_offs.bulk_group [%p0, {0, 1, 0, 0}], [tile];
            mbarrier.arrive.expect_tx.shared.b64 %d0, [cell], 48;
            cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [tile+128],
            [%p0, {0, 0, 0, 0}], [cell], {0, 0};
            """, map, tile: (0..<12).map { 500 + $0 })
        #expect(outcome.result.fault == .none, "\(outcome.result.message)")
        #expect(Array(outcome.tile[32..<44]) == [10, 11, 12, 13] + Array(500..<508))
    }

    // MARK: - What goes wrong

    @Test("A wrong map, the wrong mode or place, and dead memory are faults")
    func faults() throws {
        let machine = try Machine()
        let tensor = Tensor(sizes: [8, 4])
        let map = try Self.map(tensor.tiled([8, 4], at: machine.upload(tensor.values)), machine)
        func fault(_ statement: String, _ map: UInt64) throws -> FaultCode {
            try TileKernel.run(machine, statement, map).result.fault
        }
        #expect(try fault(Self.loading([0, 0], byteCount: 128), map) == .none)
        #expect(try fault(Self.loading([0, 0, 0], byteCount: 128), map) == .illegalInstruction)
        #expect(try fault(Self.loading([0, 0], byteCount: 128), map + 16) == .illegalInstruction)
        #expect(try fault(Self.loading([0, 0], byteCount: 128), machine.allocate(128)) == .illegalInstruction)
        let pixels = try Self.pixels([4, 4, 4, 2], lower: [0, 0], upper: [0, 0], count: 4, machine)
        #expect(try fault(Self.loading([0, 0, 0, 0], byteCount: 64), pixels) == .illegalInstruction)
        let place = Self.loading([0, 0], byteCount: 128)
        #expect(try fault(place.replacing("[tile]", with: "[tile+64]"), map) == .misalignedAddress)
        #expect(try fault(place.replacing("[tile]", with: "[tile+131072]"), map) == .illegalAddress)
        let dead = try Self.map(tensor.tiled([8, 4], at: machine.allocate(512) + 448), machine)
        #expect(try fault(place, dead) == .illegalAddress)
    }
}
