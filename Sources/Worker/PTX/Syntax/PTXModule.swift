/// A PTX module: its symbols, and where the bodies of its functions stand in the text.
///
/// Bodies are parsed on demand (``PTXModule/body(of:)``), as one module of a library may hold hundreds of kernels of
/// which a program launches three.
public struct PTXModule: Sendable {
    /// `.version`, as 10 · major + minor.
    public var version: Int
    /// The number in `.target sm_NN`, without a letter that may follow it.
    public var target: Int
    /// `.address_size` in bits.
    public var addressSize: Int
    /// Module-scope variables: `.global`, `.const`, `.shared` and `.extern` ones, in the order of the text.
    public var variables: [PTXVariable]
    /// Kernels and device functions that have a body, and `.extern` declarations of ones that have none.
    public var functions: [PTXFunction]
    /// The text; token ranges of bodies point into it.
    public var text: [UInt8]
    /// What stands behind the number in `.target`: `a` in `sm_90a`, else empty.
    public var targetSuffix: String
    /// What each module-scope name stands for.
    var symbols: [String: Symbol]

    enum Symbol: Sendable, Equatable {
        /// Index into ``functions``.
        case function(Int)
        /// Index into ``variables``.
        case variable(Int)
        /// `.alias`: the name of the function that it stands for.
        case alias(of: String)
    }
}

/// A kernel (`.entry`) or a device function (`.func`).
public struct PTXFunction: Sendable {
    public enum Linkage: UInt8, Sendable { case none, visible, weak, extern, common }

    public var name: String
    public var isEntry: Bool
    public var linkage: Linkage
    public var position: PTXPosition
    public var returnParameters: [PTXVariable]
    public var parameters: [PTXVariable]
    /// `.maxntid` and `.reqntid`, when given: threads in x, y, z.
    public var maxThreads: (x: Int, y: Int, z: Int)?
    public var requiredThreads: (x: Int, y: Int, z: Int)?
    public var minBlocksPerMultiprocessor: Int?
    /// Where the body's text lies, braces excluded; nil for a declaration.
    public var bodyRange: Range<Int>?
    /// The line and column of the first byte of `bodyRange`.
    public var bodyPosition: PTXPosition
    /// Whether the function never returns (`.noreturn`).
    public var isNoReturn: Bool
    /// `.maxnreg`, registers per thread at most.
    public var maxRegisters: Int?
    /// `.reqnctapercluster`, when given: blocks of a cluster in x, y, z.
    public var requiredClusterBlocks: (x: Int, y: Int, z: Int)?
}

/// A variable or a parameter: at module scope, in a parameter list, or in a body.
public struct PTXVariable: Sendable, Equatable {
    /// One value of an initializer list.
    public enum Initializer: Sendable, Equatable {
        /// The little-endian bits of one element.
        case bits(UInt64)
        /// The address of a symbol plus an offset, as a generic address where `isGeneric`.
        case address(symbol: String, offset: Int64, isGeneric: Bool)
    }

    public var name: String
    public var space: PTXStateSpace
    public var type: PTXType
    /// 1, or the width of `.v2` and `.v4`.
    public var vectorWidth: Int
    /// Elements in all dimensions together; 1 for a scalar; 0 for `name[]`.
    public var elementCount: Int
    /// In bytes; at least the natural alignment of the type.
    public var alignment: Int
    public var linkage: PTXFunction.Linkage
    public var initializers: [Initializer]
    public var isManaged: Bool
    public var position: PTXPosition
    /// Set for `.texref`, `.samplerref` and `.surfref` variables, whose type then reads `.b64`.
    public var reference: Reference?
    /// Where a kernel parameter marked `.ptr` points to, when its space is given.
    public var pointerSpace: PTXStateSpace?

    /// An opaque variable that the host binds to a texture, a sampler or a surface.
    public enum Reference: UInt8, Sendable { case texture, sampler, surface }

    /// Size in bytes; 0 for `name[]`.
    public var byteCount: Int { elementCount * vectorWidth * type.byteCount }
}

extension PTXType {
    /// The size of one value in bytes; a predicate counts as 1.
    public var byteCount: Int {
        switch self {
        case .s8, .u8, .b8, .pred, .e4m3, .e5m2: 1
        case .s16, .u16, .b16, .f16, .bf16, .e4m3x2, .e5m2x2: 2
        case .s32, .u32, .b32, .s16x2, .u16x2, .f16x2, .bf16x2, .tf32, .f32: 4
        case .s64, .u64, .b64, .f64, .f32x2: 8
        case .b128: 16
        }
    }
}
