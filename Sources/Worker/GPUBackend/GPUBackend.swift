public import Primitives

// What a worker needs from something that computes. Rules for all members unless a comment says otherwise:
// any thread may call them, also several at once; a call that works on a stream returns before the work is done; an
// error that is known at once is thrown, one that shows later waits in the context (`takeDeferredError`).

/// One kind of GPU: software, or a vendor's driver. A worker has one.
public protocol GPUBackend: AnyObject, Sendable {
    /// The devices, by ordinal. Read at any time; constant.
    var devices: [DeviceProperties] { get }

    /// Begins a client process's use of one device, with an empty address space at `arena` or, when those addresses
    /// can't be had, elsewhere: the session's ``BackendSession/arena`` says. Called by the first lane that makes a
    /// context on the device, or by one that agrees on addresses before; may block. Throws `INVALID_DEVICE`,
    /// `OUT_OF_MEMORY` or `DEVICE_UNAVAILABLE`.
    func makeSession(device: Int, arena: AddressArena, host: any BackendHost) throws(BackendError)
        -> any BackendSession
}

/// The device addresses of a session; the number of bytes is a power of two.
public struct AddressArena: Sendable, Equatable {
    public var base: UInt64
    public var byteCount: UInt64

    public init(base: UInt64, byteCount: UInt64) {
        self.base = base
        self.byteCount = byteCount
    }
}

/// What a backend asks of the worker, on behalf of one client process.
public protocol BackendHost: AnyObject, Sendable {
    /// Has the client run a host function and waits for its end, or for the end of the session. Called by the thread
    /// that executes a stream's work, never by a lane.
    func runHostFunction(token: UInt64)

    func copyToHost(
        token: UInt64, byteCount: UInt64, _ pieces: (_ send: (UnsafeRawBufferPointer) -> Bool) -> Void)
    func copyFromHost(token: UInt64, byteCount: UInt64) -> [UInt8]?

    /// Takes output of the device's `printf`. Called by the thread that executes a stream's work; does not block.
    func print(_ text: UnsafeRawBufferPointer)
}

/// What memory is for.
public enum MemoryKind: UInt32, Sendable {
    case device = 0
    case managed = 1
    case host = 2
}

/// One client process on one device: an address space, and the contexts in it.
public protocol BackendSession: AnyObject, Sendable, VirtualMemorySession, SharingSession {
    /// The addresses that allocations may lie at; constant.
    var arena: AddressArena { get }

    /// Makes a context. Called by a lane. `flags` are those of `cuCtxCreate`.
    func makeContext(flags: UInt32) throws(BackendError) -> any BackendContext

    /// Makes the addresses usable, with unspecified content, before any work that is submitted later. Throws
    /// `INVALID_VALUE` for addresses outside the arena or in use, `OUT_OF_MEMORY` when the host has no memory.
    func commit(address: UInt64, byteCount: UInt64, kind: MemoryKind, for context: any BackendContext)
        throws(BackendError)

    /// Gives up an allocation after all work that was submitted earlier.
    func release(address: UInt64, for context: any BackendContext)

    /// Nanoseconds in which work ran, up to now.
    var busyNanoseconds: UInt64 { get }

    /// Drops queued work, stops what runs and has every wait end with `DEINITIALIZED`. Called when the client is
    /// gone, by the thread that noticed; does not block.
    func cancel()

    /// Cancels, waits for the end of what runs and frees everything. Called once, by the last lane; may block for as
    /// long as a kernel needs to notice.
    func close()
}

/// A `CUcontext`.
public protocol BackendContext: AnyObject, Sendable {
    /// The error after which nothing runs in the context any more.
    var fatalError: BackendError? { get }

    /// The first error of submitted work since the last call; a fatal one stays.
    func takeDeferredError() -> BackendError?

    /// The stream that work without a stream runs on.
    var defaultStream: any BackendStream { get }

    /// Makes a stream; `priority` as in `cuStreamCreateWithPriority`.
    func makeStream(flags: UInt32, priority: Int32) throws(BackendError) -> any BackendStream

    /// Makes an event that counts as completed until it is recorded.
    func makeEvent(flags: UInt32) throws(BackendError) -> any BackendEvent

    /// Loads PTX text, a fat binary or a link bundle and places its globals through `place`, which takes bytes and an
    /// alignment, charges the client and commits. Blocks while the image is read. Throws `INVALID_PTX`,
    /// `NO_BINARY_FOR_GPU`, `INVALID_IMAGE`, with the compiler's log as message, or what `place` throws.
    func loadModule(image: UnsafeRawBufferPointer, place: GlobalPlacement) throws(BackendError) -> any BackendModule

    /// Links a bundle without loading it; answers the log. Throws `INVALID_PTX` or `INVALID_IMAGE` with the log.
    func checkLink(image: UnsafeRawBufferPointer) throws(BackendError) -> String

    func makeGraphRecorder() throws(BackendError) -> any BackendGraphRecorder
    /// Makes an array, or a mipmapped one, with unspecified content. Called by a lane; may block while memory is taken.
    /// Throws `OUT_OF_MEMORY`, `INVALID_VALUE` or `NOT_SUPPORTED`.
    func makeArray(_ shape: ArrayShape) throws(BackendError) -> any BackendArray

    /// Makes a texture and answers the number by which kernels of the context know it: `value` where one is given. A
    /// device that picks the numbers itself may give a surface the same one. `array` is what the description reads, if
    /// that is an array. Called by a lane. Throws `INVALID_VALUE` too where a number is given to a device that picks
    /// them, or none to one that does not.
    func makeTexture(
        _ description: TextureDescription, array: (any BackendArray)?, value: UInt64?
    ) throws(BackendError) -> UInt64

    /// Makes a surface of an array's level; as ``makeTexture(_:array:value:)``.
    func makeSurface(array: any BackendArray, level: UInt32, value: UInt64?) throws(BackendError) -> UInt64

    /// Gives a texture or a surface up; launches that were submitted earlier may still read it.
    func destroyTexture(_ value: UInt64, isSurface: Bool) throws(BackendError)

    /// Encodes a tensor map, 128 bytes, from a `TensorMapRequest`. Called by a lane, for devices whose form the client
    /// does not know.
    func encodeTensorMap(_ request: UnsafeRawBufferPointer) throws(BackendError) -> [UInt8]

    /// Waits until all work of the context was done. Throws the context's fatal error.
    func synchronize() throws(BackendError)

    /// Gives up the context's objects after its work. Does not block.
    func destroy()
}

/// Commits room for a module's globals; takes bytes and an alignment, answers the address.
public typealias GlobalPlacement = (_ byteCount: UInt64, _ alignment: UInt64) throws(BackendError) -> UInt64

/// A `CUstream`: work in order.
public protocol BackendStream: AnyObject, Sendable, DownloadingStream {
    /// Copies `box.byteCount` densely packed bytes to the device. `receive` fills the buffers it is given, in order,
    /// on the caller's thread and before this returns; when it answers false the rest of the bytes is unspecified.
    /// Waits for earlier work only where there is no room to keep the bytes. Throws `INVALID_VALUE` before it
    /// receives.
    func copyToDevice(_ box: MemoryBox, receive: (UnsafeMutableRawBufferPointer) -> Bool) throws(BackendError)

    /// Waits for earlier work, then hands the bytes out, row after row, on the caller's thread, until `send` answers
    /// false. The memory stays usable meanwhile.
    func copyFromDevice(_ box: MemoryBox, send: (UnsafeRawBufferPointer) -> Bool)
        throws(BackendError)

    /// Hands bytes out as they are now, row after row, on the caller's thread, until `send` answers false. Called by
    /// lanes on a stream of their own, without order to other streams; must not wait for work that waits for the
    /// client. The memory stays usable meanwhile.
    func peek(_ box: MemoryBox, send: (UnsafeRawBufferPointer) -> Bool) throws(BackendError)

    /// Copies between two boxes of equal size; overlap is allowed.
    func copy(from source: MemoryBox, to destination: MemoryBox) throws(BackendError)

    /// Fills rows of a box with an element of 1, 2 or 4 bytes.
    func fill(_ box: MemoryBox, elementByteCount: Int, value: UInt32) throws(BackendError)

    /// Starts a kernel; `parameters` is the packed block, read before this returns. Throws `INVALID_VALUE`,
    /// `LAUNCH_OUT_OF_RESOURCES` or `COOPERATIVE_LAUNCH_TOO_LARGE`.
    func launch(_ function: any BackendFunction, _ shape: LaunchShape, parameters: UnsafeRawBufferPointer)
        throws(BackendError)

    /// Has later work wait for what `event` recorded last.
    func wait(for event: any BackendEvent) throws(BackendError)

    func copyToHost(_ box: MemoryBox, token: UInt64) throws(BackendError)
    func copyFromHost(_ box: MemoryBox, token: UInt64) throws(BackendError)

    /// Runs a host function in order, through ``BackendHost``.
    func hostFunction(token: UInt64) throws(BackendError)

    /// Like ``copyToDevice(_:receive:)``, to an array.
    func copyToArray(_ box: ArrayBox, receive: (UnsafeMutableRawBufferPointer) -> Bool) throws(BackendError)

    /// Like ``copyFromDevice(_:send:)``, from an array.
    func copyFromArray(_ box: ArrayBox, send: (UnsafeRawBufferPointer) -> Bool) throws(BackendError)

    /// Like ``copyToHost(_:token:)`` and ``copyFromHost(_:token:)``, with an array.
    func copyToHost(_ box: ArrayBox, token: UInt64) throws(BackendError)
    func copyFromHost(_ box: ArrayBox, token: UInt64) throws(BackendError)

    /// Copies between memory and an array, or between arrays; both boxes have the same size.
    func copy(from source: MemoryBox, toArray destination: ArrayBox) throws(BackendError)
    func copy(fromArray source: ArrayBox, to destination: MemoryBox) throws(BackendError)
    func copy(fromArray source: ArrayBox, toArray destination: ArrayBox) throws(BackendError)

    /// Performs memory operations in order. A stream that waits holds no other stream back, except where CUDA orders
    /// them. Called by a lane; throws `NOT_SUPPORTED` where a device can't.
    func perform(_ operations: [StreamMemoryOperation]) throws(BackendError)

    /// Takes part in a transfer between two workers, in order. Called by a lane; blocks it where the backend can't hold
    /// the stream back.
    func exchange(_ box: MemoryBox, _ transfer: any PeerTransfer) throws(BackendError)

    /// Waits until the stream's work was done. Throws the context's fatal error.
    func synchronize() throws(BackendError)

    /// Whether the stream's work was done. Throws the context's fatal error.
    func isIdle() throws(BackendError) -> Bool

    /// Gives the stream up; work that was submitted still runs.
    func destroy()
}

/// A `CUevent`.
public protocol BackendEvent: AnyObject, Sendable, ShareableEvent {
    /// Records the point after the stream's work so far.
    func record(on stream: any BackendStream) throws(BackendError)

    /// Whether the recorded point was reached. Throws the context's fatal error.
    func isComplete() throws(BackendError) -> Bool

    /// Waits for the recorded point. Throws the context's fatal error.
    func synchronize() throws(BackendError)

    /// Milliseconds from this event to a later one. Throws `INVALID_HANDLE` for an event that was never recorded or
    /// has no time, `NOT_READY` for one that was not reached.
    func milliseconds(until end: any BackendEvent) throws(BackendError) -> Float
}

/// A variable of a module.
public struct ModuleGlobal: Sendable {
    public var name: [UInt8]
    public var address: UInt64
    public var byteCount: UInt64
    public var isManaged: Bool
    /// 1 for a texture reference, 2 for a sampler's, 3 for a surface's, else 0.
    public var reference: UInt32 = 0

    public init(name: [UInt8], address: UInt64, byteCount: UInt64, isManaged: Bool) {
        self.name = name
        self.address = address
        self.byteCount = byteCount
        self.isManaged = isManaged
    }
}

/// A `CUmodule`.
public protocol BackendModule: AnyObject, Sendable {
    /// Names of the kernels, as in the image.
    var kernelNames: [[UInt8]] { get }
    /// What is known of each of ``kernelNames`` by now; empty if nothing.
    var kernelDescriptions: [KernelDescription] { get }
    var globals: [ModuleGlobal] { get }
    /// Warnings of the loader; empty if none.
    var log: String { get }

    /// Prepares a kernel; may block while it is compiled. Throws `NOT_FOUND`, or `INVALID_PTX` and `NOT_SUPPORTED`
    /// with a sentence that names the instruction.
    func function(named name: UnsafeRawBufferPointer) throws(BackendError) -> any BackendFunction
}

/// A `CUfunction`.
public protocol BackendFunction: AnyObject, Sendable {
    /// Offsets and sizes in the packed parameter block, in bytes.
    var parameters: [(offset: UInt32, byteCount: UInt32)] { get }
    /// The values of `CUfunction_attribute`, from 0 up.
    var attributes: [Int32] { get }

    /// Sets a `CUfunction_attribute`. Throws `INVALID_VALUE` for a value that the device can't do.
    func setAttribute(_ attribute: Int32, value: Int32) throws(BackendError)
}

/// The shape of a launch.
public struct LaunchShape: Sendable, Equatable {
    public var grid: (x: UInt32, y: UInt32, z: UInt32)
    public var block: (x: UInt32, y: UInt32, z: UInt32)
    public var sharedByteCount: UInt32
    public var isCooperative: Bool

    public init(
        grid: (x: UInt32, y: UInt32, z: UInt32), block: (x: UInt32, y: UInt32, z: UInt32), sharedByteCount: UInt32,
        isCooperative: Bool
    ) {
        self.grid = grid
        self.block = block
        self.sharedByteCount = sharedByteCount
        self.isCooperative = isCooperative
    }

    public static func == (one: LaunchShape, other: LaunchShape) -> Bool {
        one.grid == other.grid && one.block == other.block && one.sharedByteCount == other.sharedByteCount
            && one.isCooperative == other.isCooperative
    }
}
