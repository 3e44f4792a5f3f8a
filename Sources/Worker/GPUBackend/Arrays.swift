public import Primitives

// Arrays, textures and surfaces. A backend without them answers `NOT_SUPPORTED`.

/// A `CUarray` or a `CUmipmappedArray`.
public protocol BackendArray: AnyObject, Sendable {
    /// Gives the array up after the work that was submitted earlier. Called by a lane; does not block.
    func destroy()
}

/// A box in a level of an array: x and width in bytes, the rest in rows and slices. Layers are slices.
public struct ArrayBox: Sendable {
    public var array: any BackendArray
    public var level: UInt32
    public var x: UInt64
    public var y: UInt64
    public var z: UInt64
    public var width: UInt64
    public var height: UInt64
    public var depth: UInt64

    public init(
        array: any BackendArray, level: UInt32, origin: (x: UInt64, y: UInt64, z: UInt64),
        size: (width: UInt64, height: UInt64, depth: UInt64)
    ) {
        self.array = array
        self.level = level
        (x, y, z) = origin
        (width, height, depth) = size
    }

    /// Throws `INVALID_VALUE` unless the box lies in an array of this shape.
    public func check(inside shape: ArrayShape) throws(BackendError) {
        guard level < shape.levelCount, let texel = shape.texel else { throw .badBox }
        let size = shape.extent(level: level)
        let rowByteCount = size.width * UInt64(texel.byteCount)
        let isInside =
            x <= rowByteCount && width <= rowByteCount - x && y <= size.height && height <= size.height - y
            && z <= size.depth && depth <= size.depth - z
        guard isInside else { throw .badBox }
    }

    public var isEmpty: Bool { width == 0 || height == 0 || depth == 0 }

    /// Whether another box has as many bytes, rows and slices.
    public func isSameSize(as other: ArrayBox) -> Bool {
        width == other.width && height == other.height && depth == other.depth
    }

    /// Whether a box in memory has as many bytes, rows and slices.
    public func isSameSize(as other: MemoryBox) -> Bool {
        width == other.width && height == other.height && depth == other.depth
    }
}

extension BackendContext {
    public func makeArray(_ shape: ArrayShape) throws(BackendError) -> any BackendArray { throw .noArrays }

    public func makeTexture(
        _ description: TextureDescription, array: (any BackendArray)?, value: UInt64?
    ) throws(BackendError) -> UInt64 { throw .noArrays }

    public func makeSurface(array: any BackendArray, level: UInt32, value: UInt64?) throws(BackendError) -> UInt64 {
        throw .noArrays
    }

    public func destroyTexture(_ value: UInt64, isSurface: Bool) throws(BackendError) { throw .noArrays }

    public func encodeTensorMap(_ request: UnsafeRawBufferPointer) throws(BackendError) -> [UInt8] {
        throw BackendError(BackendStatus.notSupported, "the device has no tensor maps")
    }
}

extension BackendStream {
    public func copyToArray(_ box: ArrayBox, receive: (UnsafeMutableRawBufferPointer) -> Bool) throws(BackendError) {
        throw .noArrays
    }

    public func copyFromArray(_ box: ArrayBox, send: (UnsafeRawBufferPointer) -> Bool) throws(BackendError) {
        throw .noArrays
    }

    public func copyToHost(_ box: ArrayBox, token: UInt64) throws(BackendError) { throw .noArrays }

    public func copyFromHost(_ box: ArrayBox, token: UInt64) throws(BackendError) { throw .noArrays }

    public func copy(from source: MemoryBox, toArray destination: ArrayBox) throws(BackendError) { throw .noArrays }

    public func copy(fromArray source: ArrayBox, to destination: MemoryBox) throws(BackendError) { throw .noArrays }

    public func copy(fromArray source: ArrayBox, toArray destination: ArrayBox) throws(BackendError) {
        throw .noArrays
    }
}

extension BackendError {
    public static let badBox = BackendError(BackendStatus.invalidValue, "the box is not inside the array")
    fileprivate static let noArrays = BackendError(BackendStatus.notSupported, "the device has no arrays")
}
