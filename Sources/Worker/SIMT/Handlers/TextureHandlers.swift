import Primitives

/// `tex`, `tld4` and `txq`. `immediate` is a ``TextureOperation``; a holds handles, or addresses of variables that do;
/// from b on the coordinates lie side by side, from c on the level or the gradients, from d on the results.
enum TextureHandlers {
    static let sample: Handler = { w, i in
        let operation = TextureOperation(bits: i.instruction.pointee.immediate)
        var known: (handle: UInt64, texture: Texture)?
        let isFine = forEachLane(w.warp.pointee.mask) { lane in
            guard let handle = textureHandle(w, i, operation, lane: lane) else { return false }
            if known?.handle != handle {
                guard let texture = textures(w).texture(handle) else {
                    _ = fail(w, i, .illegalAddress, lane: lane, address: handle)
                    return false
                }
                known = (handle, texture)
            }
            guard let texture = known?.texture else { return false }
            let sampler = Sampler(texture: texture, warp: w.warp)
            guard let texel = read(w, i, operation, sampler, lane: lane) else {
                _ = fail(w, i, .illegalAddress, lane: lane, address: texture.description.address)
                return false
            }
            store(w, i, operation, texel, lane: lane)
            return true
        }
        return isFine ? i.next : nil
    }

    /// What ``query`` and its counterpart for surfaces answer.
    enum Query: UInt32 {
        case width, height, depth, channelType, channelOrder, normalized, arraySize, levelCount, sampleCount
        case unnormalizedForced, filterMode, addressMode0, addressMode1, addressMode2, memoryLayout
    }

    /// `txq`: `flags` is a ``Query``; b is the level.
    static let query: Handler = { w, i in
        let operation = TextureOperation(bits: i.instruction.pointee.immediate)
        let query = Query(rawValue: i.instruction.pointee.flags) ?? .width
        let results = lanes(w, i.instruction.pointee.d, as: UInt32.self)
        let levels = lanes(w, i.instruction.pointee.b, as: UInt32.self)
        let isFine = forEachLane(w.warp.pointee.mask) { lane in
            guard let handle = textureHandle(w, i, operation, lane: lane) else { return false }
            guard let texture = textures(w).texture(handle) else {
                _ = fail(w, i, .illegalAddress, lane: lane, address: handle)
                return false
            }
            results[lane] = answer(query, texture, level: Int(min(levels[lane], 31)))
            return true
        }
        return isFine ? i.next : nil
    }
}

/// The textures of the launch.
@inline(__always)
func textures(_ w: WarpPointer) -> TextureTable {
    w.warp.pointee.block.withUnretainedReference { $0.launch.launch.textures }
}

/// A lane's texture or surface, by its number; nil after a fault.
func textureHandle(
    _ w: WarpPointer, _ i: InstructionPointer, _ operation: TextureOperation, lane: Int
) -> UInt64? {
    let value = lanes(w, i.instruction.pointee.a, as: UInt64.self)[lane]
    guard operation.isReference else { return value }
    guard value & 7 == 0, let pointer = globalPointer(w.warp, value) else {
        _ = fail(w, i, .illegalAddress, lane: lane, address: value)
        return nil
    }
    return pointer.load(as: UInt64.self)
}

private func read(
    _ w: WarpPointer, _ i: InstructionPointer, _ operation: TextureOperation, _ sampler: Sampler, lane: Int
) -> Texel? {
    func word(_ start: UInt32, _ index: Int) -> UInt32 {
        lanes(w, start &+ UInt32(truncatingIfNeeded: index) &* 128, as: UInt32.self)[lane]
    }
    func number(_ start: UInt32, _ index: Int) -> Float { Float(bitPattern: word(start, index)) }
    let first = i.instruction.pointee.b
    var point = TexturePoint()
    var next = 0
    if operation.geometry.isLayered {
        point.layer = Int(Int32(bitPattern: word(first, 0)))
        next = 1
    }
    func coordinate(_ index: Int) -> Float {
        operation.hasIntegerCoordinates
            ? Float(Int32(bitPattern: word(first, next + index))) : number(first, next + index)
    }
    point.isInteger = operation.hasIntegerCoordinates
    point.dimensions = operation.geometry.dimensions
    point.x = coordinate(0)
    if point.dimensions > 1 { point.y = coordinate(1) }
    if point.dimensions > 2 { point.z = coordinate(2) }
    if operation.geometry == .cube || operation.geometry == .acube { point.turnToFace(cube: point.layer) }
    let extra = i.instruction.pointee.c
    switch operation.mode {
    case .plain: return sampler.sample(point, levelOfDetail: 0)
    case .level:
        let detail =
            operation.hasIntegerCoordinates ? Float(Int32(bitPattern: word(extra, 0))) : number(extra, 0)
        return sampler.sample(point, levelOfDetail: detail)
    case .gradient:
        let x = (number(extra, 0), number(extra, 1), number(extra, 2))
        let y = (number(extra, 4), number(extra, 5), number(extra, 6))
        return sampler.sample(point, levelOfDetail: sampler.levelOfDetail(x, y, point))
    case .gather: return sampler.gather(point, component: operation.component)
    }
}

private func store(
    _ w: WarpPointer, _ i: InstructionPointer, _ operation: TextureOperation, _ texel: Texel, lane: Int
) {
    let start = i.instruction.pointee.d
    func put(_ index: UInt32, _ bits: UInt32) { lanes(w, start &+ index &* 128, as: UInt32.self)[lane] = bits }
    let parts = (texel.r.bitPattern, texel.g.bitPattern, texel.b.bitPattern, texel.a.bitPattern)
    if operation.packsHalves {
        put(0, half(texel.r) | half(texel.g) &<< 16)
        put(1, half(texel.b) | half(texel.a) &<< 16)
    } else if operation.answersHalves {
        put(0, half(texel.r))
        put(1, half(texel.g))
        put(2, half(texel.b))
        put(3, half(texel.a))
    } else {
        put(0, parts.0)
        put(1, parts.1)
        put(2, parts.2)
        put(3, parts.3)
    }
}

private func answer(_ query: TextureHandlers.Query, _ texture: Texture, level: Int) -> UInt32 {
    let size = texture.size(level: level)
    let modes = texture.description.addressModes
    switch query {
    case .width: return UInt32(truncatingIfNeeded: size.width)
    case .height: return UInt32(truncatingIfNeeded: size.height)
    case .depth: return UInt32(truncatingIfNeeded: size.depth)
    case .channelType: return channelType(texture.texel)
    case .channelOrder: return channelOrder(texture.texel)
    case .normalized: return texture.isNormalized ? 1 : 0
    case .arraySize: return UInt32(truncatingIfNeeded: texture.layerCount)
    case .levelCount: return UInt32(truncatingIfNeeded: texture.levelCount)
    case .sampleCount: return 1
    case .unnormalizedForced, .memoryLayout: return 0
    case .filterMode: return texture.description.isLinear ? 1 : 0
    case .addressMode0: return modes.0
    case .addressMode1: return modes.1
    case .addressMode2: return modes.2
    }
}
