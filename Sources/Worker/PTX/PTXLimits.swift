/// What the reader accepts at most, so that no text of a client makes a worker allocate without bound.
enum PTXLimits {
    static let textBytes = 1 << 30
    static let scopeDepth = 256
    static let expressionDepth = 64
    static let operandDepth = 4
    static let operandsPerList = 1024
    static let modifiersPerInstruction = 64
    static let registersPerBody = 1 << 18
    static let variablesPerBody = 1 << 16
    static let parameters = 1 << 12
    static let variableBytes: Int = 1 << 36
    static let alignment: UInt64 = 1 << 16
    static let arrayDimensions = 8
    /// Zeros that the reader inserts between nested initializer lists; values that the text spells out are not counted.
    static let paddedInitializers = 1 << 16
    static let threadsPerDimension: UInt64 = 1 << 31 - 1
    static let excerptBytes = 40
}
