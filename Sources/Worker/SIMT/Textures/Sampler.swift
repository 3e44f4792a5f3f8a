import Glibc
import Primitives

/// Where a lane reads a texture.
struct TexturePoint {
    var x: Float = 0
    var y: Float = 0
    var z: Float = 0
    /// Layer, or face of a cube; 0 where there are none.
    var layer = 0
    /// 1, 2 or 3.
    var dimensions = 1
    /// Coordinates are integers that count texels.
    var isInteger = false
    /// Coordinates go from 0 to 1 whatever the texture says: faces of a cube.
    var isFace = false
}

/// Reads textures for one warp.
struct Sampler {
    let texture: Texture
    let warp: UnsafeMutablePointer<Warp>

    /// A texel index, or nil beyond the border.
    private func index(_ position: Int, _ count: Int, _ mode: UInt32, _ point: TexturePoint) -> Int? {
        if position >= 0, position < count { return position }
        let canRepeat = texture.isNormalized && !point.isInteger && !point.isFace
        switch mode {
        case 0 where canRepeat:
            let rest = position % count
            return rest < 0 ? rest + count : rest
        case 2 where canRepeat:
            let period = position % (2 * count)
            let inside = period < 0 ? period + 2 * count : period
            return inside < count ? inside : 2 * count - 1 - inside
        case 3 where !point.isFace: return nil
        default: return min(max(position, 0), count - 1)
        }
    }

    /// The texel of a level; the outer nil is a place that is no live memory.
    private func fetch(_ level: Int, _ x: Int, _ y: Int, _ z: Int, _ point: TexturePoint) -> Texel? {
        let size = texture.size(level: level)
        let modes = texture.description.addressModes
        let isBuffer = texture.description.resource == .linear
        if isBuffer, x < 0 || x >= size.width { return .zero }
        guard let column = index(x, size.width, modes.0, point) else { return texture.border }
        var row = 0
        if point.dimensions > 1 {
            guard let found = index(y, size.height, modes.1, point) else { return texture.border }
            row = found
        }
        var slice = 0
        if point.dimensions > 2 {
            guard let found = index(z, size.depth, modes.2, point) else { return texture.border }
            slice = found
        } else if texture.layerCount > 1 {
            slice = texture.firstLayer + min(max(point.layer, 0), texture.layerCount - 1)
        } else {
            slice = texture.firstLayer
        }
        return place(level, column, row, slice).map { texture.texel(at: $0) }
    }

    private func place(_ level: Int, _ x: Int, _ y: Int, _ z: Int) -> UnsafeRawPointer? {
        let byteCount = texture.texel.byteCount
        if let storage = texture.storage {
            let level = storage.level(texture.firstLevel + min(level, texture.levelCount - 1))
            return UnsafeRawPointer(
                level.start + min(z, level.depth - 1) * level.slicePitch + min(y, level.height - 1) * level.pitch
                    + x * byteCount)
        }
        let offset = UInt64(y) * texture.description.pitch + UInt64(x * byteCount)
        return globalPointer(warp, texture.description.address &+ offset).map { UnsafeRawPointer($0) }
    }

    /// A coordinate in texels.
    private func scaled(_ value: Float, _ count: Int, _ point: TexturePoint) -> Float {
        if value.isNaN { return 0 }
        let isNormalized = point.isFace || (texture.isNormalized && !point.isInteger)
        let texels = isNormalized ? value * Float(count) : value
        return min(max(texels, -1_073_741_824), 1_073_741_824)
    }

    private func level(_ level: Int, _ point: TexturePoint) -> Texel? {
        let size = texture.size(level: level)
        let x = scaled(point.x, size.width, point)
        let y = point.dimensions > 1 ? scaled(point.y, size.height, point) : 0
        let z = point.dimensions > 2 ? scaled(point.z, size.depth, point) : 0
        let isLinear =
            texture.description.isLinear && texture.answersNumbers && !point.isInteger
            && texture.description.resource != .linear
        guard isLinear else { return fetch(level, Int(floor(x)), Int(floor(y)), Int(floor(z)), point) }
        return interpolated(level, Tap(x), Tap(y), Tap(z), point)
    }

    /// A place between two texels, in steps of 1/256 of a texel.
    private struct Tap {
        var index: Int
        var weight: Float

        init(_ position: Float) {
            let fixed = Int(floor((position - 0.5) * 256 + 0.5))
            index = fixed >> 8
            weight = Float(fixed & 255) / 256
        }
    }

    private func interpolated(_ level: Int, _ x: Tap, _ y: Tap, _ z: Tap, _ point: TexturePoint) -> Texel? {
        var sum = Texel.zero
        for slice in 0..<(point.dimensions > 2 ? 2 : 1) {
            for row in 0..<(point.dimensions > 1 ? 2 : 1) {
                for column in 0..<2 {
                    var weight = column == 0 ? 1 - x.weight : x.weight
                    if point.dimensions > 1 { weight *= row == 0 ? 1 - y.weight : y.weight }
                    if point.dimensions > 2 { weight *= slice == 0 ? 1 - z.weight : z.weight }
                    if weight == 0 { continue }
                    let found = fetch(level, x.index + column, y.index + row, z.index + slice, point)
                    guard let found else { return nil }
                    sum.add(found, times: weight)
                }
            }
        }
        return sum
    }

    /// Reads with a level of detail; nil when the texture's memory is gone.
    func sample(_ point: TexturePoint, levelOfDetail: Float) -> Texel? {
        guard texture.levelCount > 1 else { return level(0, point) }
        let description = texture.description
        let biased = levelOfDetail + description.levelBias
        let highest = min(max(description.maxLevel, description.minLevel), Float(texture.levelCount - 1))
        let detail = min(max(biased.isNaN ? 0 : biased, max(0, description.minLevel)), max(0, highest))
        guard description.isMipmapLinear else { return level(Int(floor(detail + 0.5)), point) }
        let fixed = Int(floor(detail * 256 + 0.5))
        guard let fine = level(fixed >> 8, point) else { return nil }
        let weight = Float(fixed & 255) / 256
        if weight == 0 || !texture.answersNumbers { return fine }
        guard let coarse = level(min((fixed >> 8) + 1, texture.levelCount - 1), point) else { return nil }
        var sum = Texel.zero
        sum.add(fine, times: 1 - weight)
        sum.add(coarse, times: weight)
        return sum
    }

    /// The level of detail that gradients ask for: of what a step in x and in y spans.
    func levelOfDetail(_ x: (Float, Float, Float), _ y: (Float, Float, Float), _ point: TexturePoint) -> Float {
        let size = texture.size(level: 0)
        let scale: (Float, Float, Float) =
            texture.isNormalized || point.isFace
            ? (Float(size.width), Float(size.height), Float(size.depth)) : (1, 1, 1)
        func length(_ step: (Float, Float, Float)) -> Float {
            let (a, b, c) = (step.0 * scale.0, step.1 * scale.1, step.2 * scale.2)
            return (a * a + b * b + c * c).squareRoot()
        }
        let span = max(length(x), length(y))
        return span > 0 ? log2f(span) : 0
    }

    /// One component of the four texels around a place, from the lower left against the clock.
    func gather(_ point: TexturePoint, component: Int) -> Texel? {
        let size = texture.size(level: 0)
        let x = Tap(scaled(point.x, size.width, point)).index
        let y = Tap(scaled(point.y, size.height, point)).index
        var result = Texel.zero
        for (index, corner) in [(0, 1), (1, 1), (1, 0), (0, 0)].enumerated() {
            guard let found = fetch(0, x + corner.0, y + corner.1, 0, point) else { return nil }
            result[index] = found[component]
        }
        return result
    }
}

extension TexturePoint {
    /// A direction as a face of a cube and a place on it.
    mutating func turnToFace(cube: Int) {
        let (ax, ay, az) = (abs(x), abs(y), abs(z))
        let face: Int
        let (s, t, m): (Float, Float, Float)
        if ax >= ay, ax >= az {
            face = x >= 0 ? 0 : 1
            (s, t, m) = (x >= 0 ? -z : z, -y, ax)
        } else if ay >= az {
            face = y >= 0 ? 2 : 3
            (s, t, m) = (x, y >= 0 ? z : -z, ay)
        } else {
            face = z >= 0 ? 4 : 5
            (s, t, m) = (z >= 0 ? x : -x, -y, az)
        }
        layer = cube * 6 + face
        (x, y, z) = m > 0 ? ((s / m + 1) / 2, (t / m + 1) / 2, 0) : (0.5, 0.5, 0)
        dimensions = 2
        isFace = true
    }
}
