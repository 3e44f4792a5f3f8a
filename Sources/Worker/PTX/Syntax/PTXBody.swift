/// The parsed body of one function. Names are resolved: lexical scopes are gone, every register and variable has an
/// index of its own.
public struct PTXBody: Sendable, Equatable {
    /// All registers that the body declares, in order; operands name them by index.
    public var registers: [PTXRegister]
    /// `.shared`, `.local`, `.param` (call arguments), `.const` and `.global` variables that the body declares.
    public var variables: [PTXVariable]
    public var statements: [PTXStatement]
}

/// A virtual register.
public struct PTXRegister: Sendable, Equatable {
    public var name: String
    public var type: PTXType
    /// 1, or the width of `.v2` and `.v4`.
    public var vectorWidth: Int
}

/// One statement of a body.
public enum PTXStatement: Sendable, Equatable {
    /// A label, unique in the body after scoping.
    case label(String)
    case instruction(PTXInstruction)
    /// `name: .callprototype (ret) _ (params)`.
    case callPrototype(name: String, returnParameters: [PTXVariable], parameters: [PTXVariable])
    /// `name: .branchtargets a, b, c` (for `brx.idx`).
    case branchTargets(name: String, labels: [String])
}

/// One instruction: `@!%p1 ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%rd1+16];`
public struct PTXInstruction: Sendable, Equatable {
    /// The register that guards it, if one does.
    public struct Guard: Sendable, Equatable {
        public var register: Int
        public var isNegated: Bool
    }

    public var position: PTXPosition
    public var predicate: Guard?
    /// The part before the first dot: `ld`.
    public var opcode: String
    /// The parts after it, in the order of the text, without dots: `global`, `v4`, `f32`. `::` stays inside a part
    /// (`shared::cta`). Clients write them in any order, so treat them as a set.
    public var modifiers: [String]
    public var operands: [PTXOperand]
}

/// An operand.
public enum PTXOperand: Sendable, Equatable {
    case register(Int)
    /// `-%r1` or `!%p1` before a register is kept as a negation where PTX allows it.
    case negated(Int)
    /// A special register, with its component: `("tid", "x")`, `("laneid", "")`.
    case special(name: String, component: String)
    /// An integer constant as written, wrapped to 64 bits two's complement.
    case integer(UInt64)
    /// `0f…` and `0d…`: exact bits. A decimal floating-point constant is `double`.
    case float(UInt32)
    case double(UInt64)
    /// A variable of the body, as its address, plus a byte offset.
    case variable(Int, offset: Int64)
    /// A module-scope symbol, a function, a function's parameter, a label, or a prototype; plus a byte offset.
    case symbol(String, offset: Int64)
    /// `[base+offset]`: the base is a register, a variable, a symbol or an integer. `[a, {b, c}]` of textures and
    /// surfaces is an address whose base is the `list` of what stands between the brackets.
    indirect case address(PTXOperand, offset: Int64)
    /// `{a, b}`: a vector operand.
    case vector([PTXOperand])
    /// `(a, b)`: the parenthesized list of a call.
    case list([PTXOperand])
    /// `%p|%q`.
    indirect case pair(PTXOperand, PTXOperand)
    /// One component of a vector register, `%v.x`: 0 for x or r, 1 for y or g, …
    case component(Int, Int)
    /// `_`.
    case sink
}
