internal import PTX

/// Finds the handler of an opcode whose operands are a result and some sources.
enum Forms {
    static func find(_ operation: Operation) throws(PTXError) -> Form? {
        guard let type = operation.type else { return nil }
        if let form = carryForm(operation, type) { return form }
        if type == .pred { return predicateForm(operation) }
        if type.isFloat { return floatForm(operation, type) }
        switch type {
        case .f16x2, .bf16x2: return HalfForms.find(operation, type)
        case .s16x2, .u16x2: return HalfwordForms.find(operation, type)
        default: break
        }
        return IntegerForms.find(operation, type) ?? BitForms.find(operation, type) ?? VideoForms.find(operation)
            ?? ClusterForms.find(operation, type)
    }

    private static func floatForm(_ operation: Operation, _ type: PTXType) -> Form? {
        switch type {
        case .f32: FloatForms.find(operation)
        case .f64: DoubleForms.find(operation)
        default: HalfForms.find(operation, type)
        }
    }

    private static func predicateForm(_ operation: Operation) -> Form? {
        let two: [OperandKind] = [.predicate, .predicate]
        switch operation.opcode {
        case "and": return Form(.predicate, two, MoveHandlers.andPredicate)
        case "or": return Form(.predicate, two, MoveHandlers.orPredicate)
        case "xor": return Form(.predicate, two, MoveHandlers.xorPredicate)
        case "not": return Form(.predicate, [.predicate], MoveHandlers.notPredicate)
        default: return nil
        }
    }

    private static func carryForm(_ operation: Operation, _ type: PTXType) -> Form? {
        let setsCarry = operation.has("cc")
        let isWide = type.byteCount == 8
        switch operation.opcode {
        case "add" where setsCarry: return CarryForms.add(isWide, readsCarry: false, setsCarry: true)
        case "addc": return CarryForms.add(isWide, readsCarry: true, setsCarry: setsCarry)
        case "sub" where setsCarry: return CarryForms.subtract(isWide, readsCarry: false, setsCarry: true)
        case "subc": return CarryForms.subtract(isWide, readsCarry: true, setsCarry: setsCarry)
        case "mad" where setsCarry, "madc": return CarryForms.multiplyAdd(operation, type)
        default: return nil
        }
    }
}
