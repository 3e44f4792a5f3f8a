import CCUDA
import CCUDAFunctions
import CUDABinding
import DeviceImages
import GPUBackend

extension CUDAContext {
    func loadModule(image: UnsafeRawBufferPointer, place: GlobalPlacement) throws(BackendError) -> any BackendModule {
        // The driver places the variables itself; `place` is for devices that leave that to the worker.
        let bytes = [UInt8](image) + [0]
        let log = JITLog()
        let handle: CUmodule
        if LinkBundle.matches(bytes) {
            handle = try link(bytes, log) { driver, linked throws(CUDAFailure) in
                var made: CUmodule?
                try driver.cuModuleLoadData(&made, linked.baseAddress)
                return made
            }
        } else {
            handle = try logging(log) { driver throws(CUDAFailure) in
                var made: CUmodule?
                try log.withOptions { options, values throws(CUDAFailure) in
                    let count = UInt32(options.count)
                    try driver.cuModuleLoadDataEx(&made, bytes, count, options.baseAddress, values.baseAddress)
                }
                return made
            }
        }
        do throws(BackendError) {
            return try CUDAModule(context: self, handle: handle, image: bytes, log: log.text)
        } catch {
            _ = try? perform { driver throws(CUDAFailure) in try driver.cuModuleUnload(handle) }
            throw error
        }
    }

    func checkLink(image: UnsafeRawBufferPointer) throws(BackendError) -> String {
        let log = JITLog()
        _ = try link([UInt8](image), log) { _, linked throws(CUDAFailure) in linked.baseAddress }
        return log.text
    }

    /// Links a bundle and hands the result to `body`; it lives no longer.
    private func link<Result>(
        _ bytes: [UInt8], _ log: JITLog,
        _ body: (CUDALibrary, UnsafeRawBufferPointer) throws(CUDAFailure) -> Result?
    ) throws(BackendError) -> Result {
        let bundle: LinkBundle
        do throws(DeviceImageError) {
            bundle = try LinkBundle(decoding: bytes)
        } catch {
            throw BackendError(BackendStatus.invalidImage, error.message)
        }
        return try withExtendedLifetime(log) { () throws(BackendError) in try link(bundle, log, body) }
    }

    private func link<Result>(
        _ bundle: LinkBundle, _ log: JITLog,
        _ body: (CUDALibrary, UnsafeRawBufferPointer) throws(CUDAFailure) -> Result?
    ) throws(BackendError) -> Result {
        try logging(log) { driver throws(CUDAFailure) in
            var state: CUlinkState?
            try log.withOptions { options, values throws(CUDAFailure) in
                try driver.cuLinkCreate_v2(UInt32(options.count), options.baseAddress, values.baseAddress, &state)
            }
            defer { try? driver.cuLinkDestroy(state) }
            for input in bundle.inputs {
                var content = input.content + [0]
                let name = (input.name + [0]).map { CChar(bitPattern: $0) }
                // PTX counts with the zero at its end.
                let count = input.content.count + (input.kind == 1 ? 1 : 0)
                try driver.cuLinkAddData_v2(
                    state, CUjitInputType(rawValue: input.kind), &content, count, name, 0, nil, nil)
            }
            var linked: UnsafeMutableRawPointer?
            var byteCount = 0
            try driver.cuLinkComplete(state, &linked, &byteCount)
            return try body(driver, UnsafeRawBufferPointer(start: linked, count: byteCount))
        }
    }

    /// Calls the loader; its own words become the error's.
    private func logging<Result>(
        _ log: JITLog, _ body: (CUDALibrary) throws(CUDAFailure) -> Result?
    ) throws(BackendError) -> Result {
        do throws(BackendError) {
            guard let result = try perform(body) else { throw BackendError(BackendStatus.invalidImage) }
            return result
        } catch {
            guard !log.errorText.isEmpty else { throw error }
            throw BackendError(error.status, log.errorText)
        }
    }
}

/// The buffers that a driver's compiler writes its log to, and the options that name them. A linker writes to both, the
/// options' values too, until it is destroyed.
final class JITLog {
    private static let byteCount = 16 << 10
    private let information = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: JITLog.byteCount)
    private let errors = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: JITLog.byteCount)
    private let options = UnsafeMutableBufferPointer<CUjit_option>.allocate(capacity: 4)
    private let values = UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>.allocate(capacity: 4)

    init() {
        information.initialize(repeating: 0)
        errors.initialize(repeating: 0)
        _ = options.initialize(from: [
            CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, CU_JIT_ERROR_LOG_BUFFER,
            CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
        ])
        // A number in the place of a pointer is how these options take sizes.
        let size = UnsafeMutableRawPointer(bitPattern: JITLog.byteCount - 1)
        _ = values.initialize(from: [
            UnsafeMutableRawPointer(information.baseAddress), size, UnsafeMutableRawPointer(errors.baseAddress), size,
        ])
    }

    deinit {
        information.deallocate()
        errors.deallocate()
        options.deallocate()
        values.deallocate()
    }

    var text: String { String(decoding: information.prefix { $0 != 0 }, as: UTF8.self) }
    var errorText: String { String(decoding: errors.prefix { $0 != 0 }, as: UTF8.self) }

    /// Calls `body` with the options that name the buffers.
    func withOptions(
        _ body: (
            UnsafeMutableBufferPointer<CUjit_option>, UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>
        ) throws(CUDAFailure) -> Void
    ) throws(CUDAFailure) {
        try body(options, values)
    }
}

// SAFETY: the handles never change and may be used by any thread.
/// A module of a driver.
final class CUDAModule: BackendModule, @unchecked Sendable {
    let kernelNames: [[UInt8]]
    let globals: [ModuleGlobal]
    let log: String
    private let context: CUDAContext
    private let handle: CUmodule

    init(context: CUDAContext, handle: CUmodule, image: [UInt8], log: String) throws(BackendError) {
        self.context = context
        self.handle = handle
        self.log = log
        let names = ImageNames(of: image, computeCapability: context.session.backend.computeCapability)
        (kernelNames, globals) = try context.perform { driver throws(CUDAFailure) in
            // A driver that prepares kernels in order to list them may not be able to prepare all.
            let listed = try? driver.kernelNames(of: handle)
            return (
                (listed ?? nil) ?? names.kernels,
                names.variables.compactMap { name in
                    driver.global(named: name, of: handle, isManaged: names.managed.contains(name))
                }
            )
        }
    }

    deinit {
        if context.isAlive {
            _ = try? context.driver.cuCtxSetCurrent(context.handle)
            _ = try? context.driver.cuModuleUnload(handle)
        }
    }

    func function(named name: UnsafeRawBufferPointer) throws(BackendError) -> any BackendFunction {
        let text = (Array(name) + [0]).map { CChar(bitPattern: $0) }
        let made = try context.perform { driver throws(CUDAFailure) in
            var made: CUfunction?
            try driver.cuModuleGetFunction(&made, handle, text)
            return made
        }
        guard let made else { throw BackendError(BackendStatus.notFound) }
        return try CUDAFunction(module: self, context: context, handle: made)
    }
}

extension CUDALibrary {
    /// The names of a module's kernels; nil where the driver is older than 12.4 and can't tell.
    fileprivate func kernelNames(of module: CUmodule) throws(CUDAFailure) -> [[UInt8]]? {
        guard functions.cuModuleGetFunctionCount != nil, functions.cuModuleEnumerateFunctions != nil,
            functions.cuFuncGetName != nil
        else { return nil }
        var count: UInt32 = 0
        try cuModuleGetFunctionCount(&count, module)
        var handles = [CUfunction?](repeating: nil, count: Int(count))
        if count > 0 { try cuModuleEnumerateFunctions(&handles, count, module) }
        var names: [[UInt8]] = []
        for handle in handles {
            var name: UnsafePointer<CChar>?
            try cuFuncGetName(&name, handle)
            if let name { names.append(Array(UnsafeRawBufferPointer(start: name, count: name.byteCount))) }
        }
        return names
    }

    /// A variable of a module; nil when the image has the name but the driver no variable.
    fileprivate func global(named name: [UInt8], of module: CUmodule, isManaged isDeclared: Bool) -> ModuleGlobal? {
        let text = (name + [0]).map { CChar(bitPattern: $0) }
        var address: CUdeviceptr = 0
        var byteCount = 0
        guard (try? cuModuleGetGlobal_v2(&address, &byteCount, module, text)) != nil, byteCount > 0 else { return nil }
        var isManaged: Int32 = 0
        _ = try? cuPointerGetAttribute(&isManaged, CU_POINTER_ATTRIBUTE_IS_MANAGED, address)
        return ModuleGlobal(
            name: name, address: address, byteCount: UInt64(byteCount), isManaged: isDeclared || isManaged != 0)
    }
}

extension UnsafePointer<CChar> {
    /// Bytes before the zero.
    fileprivate var byteCount: Int {
        var count = 0
        while self[count] != 0 { count += 1 }
        return count
    }
}

// SAFETY: the handle never changes and may be used by any thread.
/// A kernel of a driver's module.
final class CUDAFunction: BackendFunction, @unchecked Sendable {
    let handle: CUfunction
    let parameters: [(offset: UInt32, byteCount: UInt32)]
    /// Keeps the module loaded.
    private let module: CUDAModule
    private let context: CUDAContext

    /// Attributes of this driver generation, from 0 up.
    private static let attributeCount: UInt32 = 16
    private static let parameterCountMax = 4096

    init(module: CUDAModule, context: CUDAContext, handle: CUfunction) throws(BackendError) {
        self.module = module
        self.context = context
        self.handle = handle
        parameters = try context.perform { driver throws(CUDAFailure) in
            guard let read = driver.functions.cuFuncGetParamInfo else {
                throw CUDAFailure("cuFuncGetParamInfo", CUDA_ERROR_NOT_FOUND)
            }
            var list: [(offset: UInt32, byteCount: UInt32)] = []
            while list.count < CUDAFunction.parameterCountMax {
                var offset = 0
                var byteCount = 0
                guard read(handle, list.count, &offset, &byteCount) == CUDA_SUCCESS else { break }
                list.append((UInt32(truncatingIfNeeded: offset), UInt32(truncatingIfNeeded: byteCount)))
            }
            return list
        }
    }

    var attributes: [Int32] {
        guard let read = context.driver.functions.cuFuncGetAttribute,
            (try? context.driver.cuCtxSetCurrent(context.handle)) != nil
        else { return [] }
        return (0..<CUDAFunction.attributeCount).map { number in
            var value: Int32 = 0
            _ = read(&value, CUfunction_attribute(rawValue: number), handle)
            return value
        }
    }

    func setAttribute(_ attribute: Int32, value: Int32) throws(BackendError) {
        guard attribute >= 0 else { throw BackendError(BackendStatus.invalidValue) }
        try context.perform { driver throws(CUDAFailure) in
            try driver.cuFuncSetAttribute(
                handle, CUfunction_attribute(rawValue: UInt32(bitPattern: attribute)), value)
        }
    }
}
