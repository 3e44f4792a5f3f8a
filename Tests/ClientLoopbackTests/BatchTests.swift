import CCUDA
import CUDAClient
import GPUTestKit
import Testing

/// Copies and hints that come as lists.
extension ProgramTests {
    @Test("a list of copies moves each of them, and the index of a bad one is told")
    func batchCopies() throws {
        let first = try Program.allocate(64)
        let second = try Program.allocate(64)
        try Program.write([1, 2, 3, 4], to: first)
        var stream: CUstream?
        try Program.check(CUDADriver.streamCreate(&stream, 1))
        var destinations = [second, second + 8]
        var sources = [first + 8, first]
        var sizes = [8, 8]
        var attributes = CUmemcpyAttributes()
        attributes.srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_STREAM
        var start = 0
        var failed = 7
        try Program.check(
            CUDADriver.memcpyBatchAsync(&destinations, &sources, &sizes, 2, &attributes, &start, 1, &failed, stream))
        try Program.check(CUDADriver.streamSynchronize(stream))
        #expect(try Program.read(4, from: second) == [3, 4, 1, 2])
        #expect(failed == Int.max)
        sizes[1] = 1 << 30
        #expect(
            CUDADriver.memcpyBatchAsync(&destinations, &sources, &sizes, 2, &attributes, &start, 1, &failed, stream)
                == CUDA_ERROR_INVALID_VALUE)
        #expect(failed == 1)
        #expect(
            CUDADriver.memcpyBatchAsyncV2(&destinations, &sources, &sizes, 1, &attributes, &start, 1, nil)
                == CUDA_ERROR_INVALID_VALUE)

        var box = CUDA_MEMCPY3D_BATCH_OP()
        box.src.type = CU_MEMCPY_OPERAND_TYPE_POINTER
        box.src.op.ptr.ptr = first
        box.src.op.ptr.rowLength = 8
        box.dst.type = CU_MEMCPY_OPERAND_TYPE_POINTER
        box.dst.op.ptr.ptr = second
        box.dst.op.ptr.rowLength = 4
        box.extent = CUextent3D(width: 4, height: 2, depth: 1)
        try Program.check(CUDADriver.memcpy3DBatchAsyncV2(1, &box, 0, stream))
        try Program.check(CUDADriver.streamSynchronize(stream))
        #expect(try Program.read(4, from: second) == [1, 3, 1, 2])
        try Program.check(CUDADriver.streamDestroy(stream))
        try Program.check(CUDADriver.memFreeV2(first))
        try Program.check(CUDADriver.memFreeV2(second))
    }

    @Test("what a program advised about managed memory can be asked for")
    func hints() throws {
        var place: CUdeviceptr = 0
        try Program.check(CUDADriver.memAllocManaged(&place, 8192, 1))
        func answer(_ attribute: CUmem_range_attribute, _ byteCount: Int = 8192) throws -> Int32 {
            var value: Int32 = 77
            try Program.check(CUDADriver.memRangeGetAttribute(&value, 4, attribute, place, byteCount))
            return value
        }
        #expect(try answer(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY) == 0)
        #expect(try answer(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION) == -2)
        try Program.check(CUDADriver.memAdvise(place, 8192, CU_MEM_ADVISE_SET_READ_MOSTLY, 0))
        try Program.check(CUDADriver.memAdvise(place, 8192, CU_MEM_ADVISE_SET_PREFERRED_LOCATION, -1))
        try Program.check(CUDADriver.memAdvise(place, 8192, CU_MEM_ADVISE_SET_ACCESSED_BY, 0))
        try Program.check(CUDADriver.memPrefetchAsync(place, 4096, 0, nil))
        #expect(try answer(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY) == 1)
        #expect(try answer(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION) == -1)
        #expect(try answer(CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY) == 0)
        #expect(try answer(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION, 4096) == 0)
        #expect(try answer(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION) == -2)
        try Program.check(CUDADriver.memAdvise(place, 8192, CU_MEM_ADVISE_UNSET_READ_MOSTLY, 0))
        #expect(try answer(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY) == 0)
        try Program.check(CUDADriver.memFreeV2(place))
    }
}
