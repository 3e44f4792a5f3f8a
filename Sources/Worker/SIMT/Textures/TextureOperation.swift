/// What a texture or surface instruction does, packed in ``Instruction/immediate``.
struct TextureOperation {
    enum Geometry: UInt64 {
        case d1, d2, d3, a1d, a2d, cube, acube

        /// Coordinates, the layer included.
        var coordinateCount: Int {
            switch self {
            case .d1: 1
            case .d2, .a1d: 2
            case .d3, .a2d, .cube: 3
            case .acube: 4
            }
        }

        var isLayered: Bool { self == .a1d || self == .a2d || self == .acube }

        var dimensions: Int {
            switch self {
            case .d1, .a1d: 1
            case .d2, .a2d: 2
            case .d3, .cube, .acube: 3
            }
        }

        init?(_ operation: Operation) {
            if operation.has("1d") {
                self = .d1
            } else if operation.has("2d") {
                self = .d2
            } else if operation.has("3d") {
                self = .d3
            } else if operation.has("a1d") {
                self = .a1d
            } else if operation.has("a2d") {
                self = .a2d
            } else if operation.has("cube") {
                self = .cube
            } else if operation.has("acube") {
                self = .acube
            } else {
                return nil
            }
        }
    }

    enum Mode: UInt64 {
        case plain, level, gradient, gather
    }

    /// What surface accesses outside do.
    enum Bounds: UInt64 {
        case trap, clamp, zero
    }

    var geometry: Geometry = .d1
    var mode: Mode = .plain
    /// Of `tld4`.
    var component = 0
    var hasIntegerCoordinates = false
    /// Results are halves, in a register each or two in one.
    var answersHalves = false
    var packsHalves = false
    /// The handle is in a variable.
    var isReference = false
    var bounds: Bounds = .trap
    /// Of surfaces: bytes of an element, and elements.
    var elementByteCount = 4
    var elementCount = 1
    /// x counts texels, and values have the surface's format.
    var isFormatted = false

    init() {}

    var bits: UInt64 {
        var bits = geometry.rawValue | mode.rawValue << 3 | UInt64(component) << 5
        bits |= (hasIntegerCoordinates ? 1 : 0) << 7 | (answersHalves ? 1 : 0) << 8 | (packsHalves ? 1 : 0) << 9
        bits |= (isReference ? 1 : 0) << 10 | bounds.rawValue << 11 | UInt64(elementByteCount) << 13
        return bits | UInt64(elementCount) << 18 | (isFormatted ? 1 : 0) << 22
    }

    init(bits: UInt64) {
        geometry = Geometry(rawValue: bits & 7) ?? .d1
        mode = Mode(rawValue: (bits >> 3) & 3) ?? .plain
        component = Int((bits >> 5) & 3)
        hasIntegerCoordinates = (bits >> 7) & 1 == 1
        answersHalves = (bits >> 8) & 1 == 1
        packsHalves = (bits >> 9) & 1 == 1
        isReference = (bits >> 10) & 1 == 1
        bounds = Bounds(rawValue: (bits >> 11) & 3) ?? .trap
        elementByteCount = Int((bits >> 13) & 31)
        elementCount = Int((bits >> 18) & 15)
        isFormatted = (bits >> 22) & 1 == 1
    }
}
