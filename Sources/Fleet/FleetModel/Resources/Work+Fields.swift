extension WorkloadSpec {
    public static let fields: [FieldSchema] = placementFields + lifeFields

    private static let placementFields: [FieldSchema] = [
        FieldSchema("replicas", .integer(0...100_000), "How many of the same.", fallback: "1"),
        FieldSchema("profile", .name, "A profile whose values count where this says nothing."),
        FieldSchema("pool", .name, "The pool.", fallback: "the default pool"),
        FieldSchema("resources", .object(DeviceRequest.fields), "The part of devices for each replica."),
        FieldSchema("selector", .object(DeviceSelector.fields), "Which devices may serve."),
        FieldSchema(
            "isolation", .word(Isolation.allCases.map(\.rawValue)), "How devices are shared.", fallback: "shared"),
        FieldSchema(
            "affinity",
            .object([
                FieldSchema("near", .labels, "Near vGPUs of workloads with these labels."),
                FieldSchema("apart", .labels, "Away from vGPUs of workloads with these labels."),
                FieldSchema("domain", .text(max: 128), "The label of nodes that says what is near.", fallback: "node"),
            ]), "Where vGPUs stand to those of other workloads."),
        FieldSchema(
            "topology",
            .object([
                FieldSchema(
                    "level", .text(max: 128), "The label of nodes whose value all devices of a replica share.",
                    fallback: "node"),
                FieldSchema("required", .boolean, "Whether it must be so, or should.", fallback: "true"),
            ]), "How close together the devices of a replica are."),
        FieldSchema(
            "remote", .word(Remote.allCases.map(\.rawValue)),
            "Whether the GPU may be on another node than the program.",
            fallback: "allowed"),
        FieldSchema(
            "host",
            .object([
                FieldSchema("processors", .number(0...4096), "Processors."),
                FieldSchema("memory", .memory, "Memory of the machine."),
            ]), "What a program needs beside devices."),
    ]

    private static let lifeFields: [FieldSchema] = [
        FieldSchema(
            "qos", .word(QualityOfService.allCases.map(\.rawValue)), "How urgent.", fallback: "the pool's, or medium"),
        FieldSchema(
            "priority", .integer(-1_000_000...1_000_000), "Who goes first; ranks before qos.", fallback: "of qos"),
        FieldSchema("preemptible", .boolean, "Whether more urgent work may take its place.", fallback: "true"),
        FieldSchema(
            "evictionProtection", .span, "How long after its start a replica can't be evicted.", fallback: "0s"),
        FieldSchema(
            "gang",
            .object([
                FieldSchema("minimum", .integer(1...100_000), "How many at once.", fallback: "all replicas"),
                FieldSchema("timeout", .span, "How long to wait before the workload fails.", fallback: "for ever"),
            ]), "All replicas, or a number of them, at once or none."),
        FieldSchema(
            "program",
            .object([
                .required("command", .list(.text(max: 4096), max: 256), "The program and its arguments."),
                FieldSchema("environment", .map(.text(max: 32_768)), "Variables beside the node's."),
                FieldSchema("directory", .text(max: 4096), "The folder to start in."),
            ]), "A program to run on a node; without it, the vGPUs are held for whoever connects."),
        FieldSchema(
            "restart", .word(Restart.allCases.map(\.rawValue)), "What to do when the program ends.",
            fallback: "onFailure"),
        FieldSchema(
            "holdTimeout", .span, "The workload is deleted when no client has kept it alive for so long.",
            fallback: "never"),
    ]
}
