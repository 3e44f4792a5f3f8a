import CCUDA
import CUDAClient
import GPUTestKit
import Testing
import WireProtocol
import WorkerCore

private let granule = 2 << 20

/// Virtual memory management, through the driver's functions and a worker of this process.
extension ProgramTests {
    private func properties(shareable: Bool = false) -> CUmemAllocationProp {
        var properties = CUmemAllocationProp()
        properties.type = CU_MEM_ALLOCATION_TYPE_PINNED
        properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE
        properties.location.id = 0
        if shareable { properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR }
        return properties
    }

    private func create(_ byteCount: Int, shareable: Bool = false) throws -> CUmemGenericAllocationHandle {
        var wanted = properties(shareable: shareable)
        var handle: CUmemGenericAllocationHandle = 0
        try Program.check(CUDADriver.memCreate(&handle, byteCount, &wanted, 0))
        return handle
    }

    private func reserve(_ byteCount: Int, at wanted: CUdeviceptr = 0) throws -> CUdeviceptr {
        var address: CUdeviceptr = 0
        try Program.check(CUDADriver.memAddressReserve(&address, byteCount, 0, wanted, 0))
        return address
    }

    private func allow(_ address: CUdeviceptr, _ byteCount: Int, _ flags: CUmemAccess_flags) -> CUresult {
        var access = CUmemAccessDesc()
        access.location.type = CU_MEM_LOCATION_TYPE_DEVICE
        access.flags = flags
        return CUDADriver.memSetAccess(address, byteCount, &access, 1)
    }

    private func end(_ address: CUdeviceptr, _ byteCount: Int) throws {
        try Program.check(CUDADriver.memUnmap(address, byteCount))
        try Program.check(CUDADriver.memAddressFree(address, byteCount))
    }

    @Test("one object at two places shows the same bytes, a part of it too, and stays after its handle")
    func aliases() throws {
        let object = try create(2 * granule)
        let first = try reserve(2 * granule)
        let second = try reserve(granule)
        try Program.check(CUDADriver.memMap(first, 2 * granule, 0, object, 0))
        try Program.check(CUDADriver.memMap(second, granule, granule, object, 0))
        try Program.check(CUDADriver.memRelease(object))
        try Program.check(allow(first, 2 * granule, CU_MEM_ACCESS_FLAGS_PROT_READWRITE))
        try Program.check(allow(second, granule, CU_MEM_ACCESS_FLAGS_PROT_READWRITE))
        try Program.write([1, 2, 3], to: first + UInt64(granule))
        #expect(try Program.read(3, from: second) == [1, 2, 3])
        let poke = try Program.function("poke", of: TestKernels.poke)
        try Program.check(Program.launch(poke, [second + 4]))
        #expect(try Program.read(3, from: first + UInt64(granule)) == [1, 7, 3])

        var base: CUdeviceptr = 0
        var byteCount = 0
        try Program.check(CUDADriver.memGetAddressRangeV2(&base, &byteCount, first + 5))
        #expect(base == first && byteCount == 2 * granule)
        var again: CUmemGenericAllocationHandle = 0
        try Program.check(
            CUDADriver.memRetainAllocationHandle(&again, UnsafeMutableRawPointer(bitPattern: UInt(second))))
        #expect(again == object)
        try Program.check(CUDADriver.memRelease(again))
        try end(first, 2 * granule)
        try end(second, granule)
        #expect(CUDADriver.memRelease(object) == CUDA_ERROR_INVALID_VALUE)
    }

    @Test("objects count against the vGPU's memory until neither handle nor mapping is left")
    func physicalQuota() throws {
        let most = Int(Program.vramByteCount) - 4 * granule
        let object = try create(most)
        var wanted = properties()
        var second: CUmemGenericAllocationHandle = 0
        #expect(CUDADriver.memCreate(&second, 8 * granule, &wanted, 0) == CUDA_ERROR_OUT_OF_MEMORY)
        let address = try reserve(most)
        try Program.check(CUDADriver.memMap(address, most, 0, object, 0))
        try Program.check(CUDADriver.memRelease(object))
        #expect(CUDADriver.memCreate(&second, 8 * granule, &wanted, 0) == CUDA_ERROR_OUT_OF_MEMORY)
        try end(address, most)
        let third = try create(most)
        try Program.check(CUDADriver.memRelease(third))
        try Program.check(CUDADriver.ctxSynchronize())
        #expect(Program.fixture.worker.status().usedByteCount < 4 * UInt64(granule))
    }

    @Test("a wanted address is honoured, and a reservation as large as the arena allows costs nothing")
    func addresses() throws {
        let address = try reserve(granule)
        try Program.check(CUDADriver.memAddressFree(address, granule))
        let wanted = address + 64 * UInt64(granule)
        #expect(try reserve(granule, at: wanted) == wanted)
        let elsewhere = try reserve(granule, at: wanted)
        #expect(elsewhere != wanted && elsewhere % UInt64(granule) == 0)
        try Program.check(CUDADriver.memAddressFree(wanted, granule))
        try Program.check(CUDADriver.memAddressFree(elsewhere, granule))
        let large = try reserve(256 << 30)
        try Program.check(CUDADriver.memAddressFree(large, 256 << 30))
        var result: CUdeviceptr = 0
        #expect(CUDADriver.memAddressReserve(&result, granule + 1, 0, 0, 0) == CUDA_ERROR_INVALID_VALUE)
        #expect(CUDADriver.memAddressReserve(&result, granule, 3, 0, 0) == CUDA_ERROR_INVALID_VALUE)
        #expect(CUDADriver.memAddressReserve(&result, 1 << 60, 0, 0, 0) == CUDA_ERROR_OUT_OF_MEMORY)
        #expect(CUDADriver.memAddressFree(large, 256 << 30) == CUDA_ERROR_INVALID_VALUE)
        try Program.check(CUDADriver.ctxSynchronize())
    }

    @Test("ranges that do not fit are refused at the call")
    func ranges() throws {
        let object = try create(2 * granule)
        let address = try reserve(4 * granule)
        #expect(CUDADriver.memMap(address, 3 * granule, 0, object, 0) == CUDA_ERROR_INVALID_VALUE)
        #expect(CUDADriver.memMap(address + 4096, granule, 0, object, 0) == CUDA_ERROR_INVALID_VALUE)
        #expect(CUDADriver.memMap(address + 4 * UInt64(granule), granule, 0, object, 0) == CUDA_ERROR_INVALID_VALUE)
        #expect(allow(address, granule, CU_MEM_ACCESS_FLAGS_PROT_READWRITE) == CUDA_ERROR_INVALID_VALUE)
        try Program.check(CUDADriver.memMap(address, 2 * granule, 0, object, 0))
        #expect(CUDADriver.memMap(address + UInt64(granule), granule, 0, object, 0) == CUDA_ERROR_INVALID_VALUE)
        #expect(CUDADriver.memUnmap(address, granule) == CUDA_ERROR_INVALID_VALUE)
        #expect(CUDADriver.memAddressFree(address, 4 * granule) == CUDA_ERROR_INVALID_VALUE)
        try Program.check(CUDADriver.memMap(address + 2 * UInt64(granule), 2 * granule, 0, object, 0))
        try Program.check(allow(address, 4 * granule, CU_MEM_ACCESS_FLAGS_PROT_READWRITE))
        try Program.check(CUDADriver.memRelease(object))
        try end(address, 4 * granule)
        try Program.check(CUDADriver.ctxSynchronize())
    }

    @Test("attributes of a mapped address are those of a device pointer without a context")
    func attributes() throws {
        let object = try create(granule, shareable: true)
        let address = try reserve(granule)
        try Program.check(CUDADriver.memMap(address, granule, 0, object, 0))
        try Program.check(allow(address, granule, CU_MEM_ACCESS_FLAGS_PROT_READWRITE))
        func word(_ attribute: CUpointer_attribute) throws -> UInt64 {
            var value: UInt64 = 0
            try Program.check(CUDADriver.pointerGetAttribute(&value, attribute, address + 16))
            return value
        }
        #expect(try word(CU_POINTER_ATTRIBUTE_MEMORY_TYPE) == UInt64(CU_MEMORYTYPE_DEVICE.rawValue))
        #expect(try word(CU_POINTER_ATTRIBUTE_CONTEXT) == 0)
        #expect(try word(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL) == 0)
        #expect(try word(CU_POINTER_ATTRIBUTE_RANGE_START_ADDR) == address)
        #expect(try word(CU_POINTER_ATTRIBUTE_RANGE_SIZE) == UInt64(granule))
        #expect(try word(CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES) == 1)
        try Program.check(CUDADriver.memRelease(object))
        try end(address, granule)
        var value: UInt64 = 0
        let status = CUDADriver.pointerGetAttribute(&value, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address)
        #expect(status == CUDA_ERROR_INVALID_VALUE)
    }

    @Test("a shared descriptor opens the same memory in this process")
    func sharing() throws {
        let object = try create(granule, shareable: true)
        var descriptor: Int32 = -1
        try Program.check(
            CUDADriver.memExportToShareableHandle(
                &descriptor, object, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0))
        var other: CUmemGenericAllocationHandle = 0
        try Program.check(
            CUDADriver.memImportFromShareableHandle(
                &other, UnsafeMutableRawPointer(bitPattern: Int(descriptor)), CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR))
        #expect(other != object)
        let address = try reserve(2 * granule)
        try Program.check(CUDADriver.memMap(address, granule, 0, object, 0))
        try Program.check(CUDADriver.memMap(address + UInt64(granule), granule, 0, other, 0))
        try Program.check(allow(address, 2 * granule, CU_MEM_ACCESS_FLAGS_PROT_READWRITE))
        try Program.write([5, 6], to: address)
        #expect(try Program.read(2, from: address + UInt64(granule)) == [5, 6])
        try Program.check(CUDADriver.memRelease(object))
        try Program.check(CUDADriver.memRelease(other))
        try end(address, 2 * granule)
        try Program.check(CUDADriver.ctxSynchronize())
        #expect(Program.fixture.worker.status().usedByteCount < UInt64(granule))
        let plain = try create(granule)
        #expect(
            CUDADriver.memExportToShareableHandle(
                &descriptor, plain, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0) == CUDA_ERROR_INVALID_VALUE)
        #expect(
            CUDADriver.memImportFromShareableHandle(
                &other, UnsafeMutableRawPointer(bitPattern: 1), CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
                == CUDA_ERROR_INVALID_VALUE)
        try Program.check(CUDADriver.memRelease(plain))
    }

    @Test(
        "touching what is reserved but not mapped, or mapped without access, is an illegal address",
        arguments: [0, 1, 2, 3])
    func faults(kind: Int) throws {
        var context: CUcontext?
        try Program.check(CUDADriver.ctxCreate(&context, 0, 0))
        let object = try create(granule)
        let address = try reserve(granule)
        if kind > 0 { try Program.check(CUDADriver.memMap(address, granule, 0, object, 0)) }
        if kind == 2 {
            try Program.check(allow(address, granule, CU_MEM_ACCESS_FLAGS_PROT_READWRITE))
            try Program.write([1], to: address)
            try Program.check(allow(address, granule, CU_MEM_ACCESS_FLAGS_PROT_NONE))
        }
        if kind == 3 {
            let poke = try Program.function("poke", of: TestKernels.poke)
            try Program.check(Program.launch(poke, [address]))
        } else {
            try Program.check(CUDADriver.memsetD8V2(address, 1, 16))
        }
        #expect(CUDADriver.ctxSynchronize() == CUDA_ERROR_ILLEGAL_ADDRESS)
        #expect(CUDADriver.ctxSynchronize() == CUDA_ERROR_ILLEGAL_ADDRESS)
        _ = CUDADriver.ctxDestroy(context)
        try Program.begin()
        if kind > 0 { try Program.check(CUDADriver.memUnmap(address, granule)) }
        try Program.check(CUDADriver.memAddressFree(address, granule))
        try Program.check(CUDADriver.memRelease(object))
        try Program.check(CUDADriver.ctxSynchronize())
    }
}
