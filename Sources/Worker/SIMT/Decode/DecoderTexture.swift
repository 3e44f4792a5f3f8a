internal import PTX

extension Decoder {
    mutating func decodeTexture(_ operation: Operation) throws(PTXError) {
        switch operation.opcode {
        case "tex": try decodeSample(operation)
        case "tld4": try decodeGather(operation)
        case "txq", "suq": try decodeQuery(operation)
        case "suld": try decodeSurfaceLoad(operation)
        case "sust", "sured": try decodeSurfaceStore(operation)
        default: throw operation.unsupported
        }
    }

    /// Where coordinates, levels and results of textures lie side by side: 4, 8 and 8 registers of 32 bits.
    mutating func texturePlace(_ index: Int) -> UInt32 {
        let start: UInt32
        if let found = texturePlaces { start = found } else { start = UInt32(reserve(20 * 128)) }
        texturePlaces = start
        return start + UInt32(index * 128)
    }

    private func parts(_ operand: PTXOperand) -> [PTXOperand] {
        if case .vector(let parts) = operand { return parts }
        return [operand]
    }

    mutating func line(up parts: [PTXOperand], at start: UInt32, wide: Bool = false) throws(PTXError) {
        for (index, part) in parts.enumerated() {
            if case .sink = part { continue }
            var copy = Instruction(wide ? MoveHandlers.copy64 : MoveHandlers.copy32)
            copy.a = try source(part, wide ? .b64 : .b32)
            copy.d = start + UInt32(index * (wide ? 256 : 128))
            emit(copy)
        }
    }

    private mutating func spread(_ parts: [PTXOperand], from start: UInt32, wide: Bool = false) throws(PTXError) {
        for (index, part) in parts.enumerated() {
            if case .sink = part { continue }
            var copy = Instruction(wide ? MoveHandlers.copy64 : MoveHandlers.copy32)
            copy.a = start + UInt32(index * (wide ? 256 : 128))
            let target = try destination(part, wide ? .b64 : .b32)
            copy.d = target.offset
            emit(copy)
            finish(target)
        }
    }

    /// Reads `[a, {x, y}]`: the handle goes to the instruction's a, the coordinates are lined up at its b.
    private mutating func take(
        _ operand: PTXOperand, _ geometry: TextureOperation.Geometry?, _ instruction: inout Instruction,
        _ texture: inout TextureOperation
    ) throws(PTXError) {
        guard case .address(let base, let offset) = operand, offset == 0 else { throw syntax("a texture in brackets") }
        let items: [PTXOperand]
        if case .list(let list) = base { items = list } else { items = [base] }
        guard items.count == (geometry == nil ? 1 : 2) else {
            throw PTXError(
                .unsupported, at: current?.position ?? reference.function.position,
                "\(currentText) with a sampler of its own")
        }
        if case .symbol = items[0] { texture.isReference = true }
        instruction.a = try source(items[0], .b64)
        guard let geometry else { return }
        instruction.b = texturePlace(0)
        let coordinates = parts(items[1])
        guard coordinates.count >= geometry.coordinateCount, coordinates.count <= 4 else {
            throw syntax("\(coordinates.count) coordinates")
        }
        try line(up: Array(coordinates.prefix(geometry.coordinateCount)), at: instruction.b)
    }

    private mutating func decodeSample(_ operation: Operation) throws(PTXError) {
        let operands = operation.instruction.operands
        guard let geometry = TextureOperation.Geometry(operation), operation.types.count == 2, operands.count >= 2
        else { throw operation.unsupported }
        var texture = TextureOperation()
        texture.geometry = geometry
        guard operation.types[1] == .f32 || operation.types[1] == .s32 else { throw operation.unsupported }
        texture.hasIntegerCoordinates = operation.types[1] == .s32
        var sample = Instruction(TextureHandlers.sample)
        try take(operands[1], geometry, &sample, &texture)
        sample.c = texturePlace(4)
        var extra = 0
        if operation.has("level") {
            guard operands.count > 2 else { throw syntax("\(currentText) takes a level") }
            texture.mode = .level
            try line(up: [operands[2]], at: sample.c)
            extra = 1
        } else if operation.has("grad") {
            guard operands.count > 3, !texture.hasIntegerCoordinates else { throw operation.unsupported }
            texture.mode = .gradient
            for index in 0..<8 {
                var clear = Instruction(MoveHandlers.copy32)
                clear.a = constant(0, wide: false)
                clear.d = sample.c + UInt32(index * 128)
                emit(clear)
            }
            for (index, operand) in operands[2...3].enumerated() {
                let steps = parts(operand)
                guard steps.count <= 4 else { throw syntax("\(steps.count) gradients") }
                try line(up: Array(steps.prefix(3)), at: sample.c + UInt32(index * 4 * 128))
            }
            extra = 2
        }
        guard operands.count == 2 + extra else { throw operation.unsupported }
        try finishSample(&sample, &texture, operands[0], operation.types[0], operation)
    }

    private mutating func decodeGather(_ operation: Operation) throws(PTXError) {
        let operands = operation.instruction.operands
        guard operation.types.count == 2, operation.types[1] == .f32, operands.count == 2, operation.has("2d") else {
            throw operation.unsupported
        }
        var texture = TextureOperation()
        texture.geometry = .d2
        texture.mode = .gather
        texture.component = operation.has("g") ? 1 : operation.has("b") ? 2 : operation.has("a") ? 3 : 0
        var gather = Instruction(TextureHandlers.sample)
        try take(operands[1], .d2, &gather, &texture)
        gather.c = texturePlace(4)
        try finishSample(&gather, &texture, operands[0], operation.types[0], operation)
    }

    private mutating func finishSample(
        _ sample: inout Instruction, _ texture: inout TextureOperation, _ result: PTXOperand, _ type: PTXType,
        _ operation: Operation
    ) throws(PTXError) {
        switch type {
        case .f32, .s32, .u32: break
        case .f16: texture.answersHalves = true
        case .f16x2: texture.packsHalves = true
        default: throw operation.unsupported
        }
        let results = parts(result)
        guard results.count == (type == .f16x2 ? 2 : 4) else { throw syntax("a vector of \(results.count)") }
        sample.d = texturePlace(12)
        sample.immediate = texture.bits
        emit(sample)
        try spread(results, from: sample.d)
    }

    private mutating func decodeQuery(_ operation: Operation) throws(PTXError) {
        let operands = operation.instruction.operands
        let queries: [(String, TextureHandlers.Query)] = [
            ("width", .width), ("height", .height), ("depth", .depth), ("channel_data_type", .channelType),
            ("channel_order", .channelOrder), ("normalized_coords", .normalized), ("array_size", .arraySize),
            ("num_mipmap_levels", .levelCount), ("num_samples", .sampleCount),
            ("force_unnormalized_coords", .unnormalizedForced), ("filter_mode", .filterMode),
            ("addr_mode_0", .addressMode0), ("addr_mode_1", .addressMode1), ("addr_mode_2", .addressMode2),
            ("memory_layout", .memoryLayout),
        ]
        guard let found = queries.first(where: { operation.has($0.0) }), operands.count >= 2 else {
            throw operation.unsupported
        }
        var texture = TextureOperation()
        let isSurface = operation.opcode == "suq"
        var query = Instruction(isSurface ? SurfaceHandlers.query : TextureHandlers.query)
        try take(operands[1], nil, &query, &texture)
        query.b = operands.count > 2 ? try source(operands[2], .b32) : constant(0, wide: false)
        query.flags = found.1.rawValue
        query.immediate = texture.bits
        let target = try destination(operands[0], .b32)
        query.d = target.offset
        emit(query)
        finish(target)
    }

    // MARK: Surfaces

    private func surface(_ operation: Operation) throws(PTXError) -> TextureOperation {
        var surface = TextureOperation()
        guard let geometry = TextureOperation.Geometry(operation), geometry != .cube, geometry != .acube,
            let type = operation.type, type.byteCount <= 8
        else { throw operation.unsupported }
        surface.geometry = geometry
        surface.elementByteCount = type.byteCount
        surface.elementCount = operation.has("v4") ? 4 : operation.has("v2") ? 2 : 1
        surface.bounds = operation.has("clamp") ? .clamp : operation.has("zero") ? .zero : .trap
        surface.isFormatted = operation.has("p")
        return surface
    }

    private mutating func decodeSurfaceLoad(_ operation: Operation) throws(PTXError) {
        let operands = operation.instruction.operands
        guard operation.has("b"), operands.count == 2 else { throw operation.unsupported }
        var surface = try surface(operation)
        let values = parts(operands[0])
        guard values.count == surface.elementCount else { throw syntax("a vector of \(values.count)") }
        var load = Instruction(SurfaceHandlers.load)
        try take(operands[1], surface.geometry, &load, &surface)
        load.d = texturePlace(12)
        load.immediate = surface.bits
        emit(load)
        try spread(values, from: load.d, wide: surface.elementByteCount == 8)
    }

    private mutating func decodeSurfaceStore(_ operation: Operation) throws(PTXError) {
        let operands = operation.instruction.operands
        let isReduction = operation.opcode == "sured"
        guard operation.has("b") || operation.has("p"), operands.count == 2 else { throw operation.unsupported }
        var surface = try surface(operation)
        let values = parts(operands[1])
        guard values.count == surface.elementCount else { throw syntax("a vector of \(values.count)") }
        guard !surface.isFormatted || surface.elementByteCount == 4 else { throw operation.unsupported }
        var store = Instruction(isReduction ? SurfaceHandlers.reduce : SurfaceHandlers.store)
        if isReduction {
            let reductions: [(String, SurfaceHandlers.Reduction)] = [
                ("add", .add), ("min", .min), ("max", .max), ("and", .and), ("or", .or),
            ]
            guard let found = reductions.first(where: { operation.has($0.0) }), let type = operation.type,
                type.byteCount == 4 || type.byteCount == 8, values.count == 1
            else { throw operation.unsupported }
            store.flags = found.1.rawValue | (type.isSigned ? 8 : 0)
        }
        try take(operands[0], surface.geometry, &store, &surface)
        store.d = texturePlace(12)
        store.immediate = surface.bits
        try line(up: values, at: store.d, wide: surface.elementByteCount == 8)
        emit(store)
    }
}
