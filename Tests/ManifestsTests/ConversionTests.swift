import FleetModel
import Foundation
import Testing

@testable import Manifests

@Suite("Converting TensorFusion's manifests")
struct ConversionTests {
    private static let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/manifests/tensorfusion")

    private func convert(_ name: String) throws -> Conversion {
        let path = ConversionTests.folder.appendingPathComponent(name).path
        return Conversion(tensorFusion: try ManifestReader.read(paths: [path]) { Data() })
    }

    /// Converts a pod with annotations.
    private func pod(_ annotations: [String: String], labels: [String: String] = [:], spec: JSONValue = [:])
        -> Conversion
    {
        func keys(_ texts: [String: String]) -> JSONValue {
            .object(
                Dictionary(texts.map { ("tensor-fusion.ai/\($0.key)", JSONValue.string($0.value)) }) { one, _ in one })
        }
        var labels = labels
        labels["enabled"] = labels["enabled"] ?? "true"
        return Conversion(tensorFusion: [
            Manifest(
                [
                    "kind": "Pod",
                    "metadata": ["name": "p", "labels": keys(labels), "annotations": keys(annotations)], "spec": spec,
                ])
        ])
    }

    @Test("A deployment becomes a workload with all that has an equivalent, and warnings for the rest")
    func deployment() throws {
        let conversion = try convert("deployment.yaml")
        #expect(
            try ManifestWriter.yaml(conversion.manifests) == """
                apiVersion: roost/v1
                kind: Project
                metadata:
                  name: research
                spec: {}
                ---
                apiVersion: roost/v1
                kind: Workload
                metadata:
                  name: serve
                  project: research
                  labels:
                    app: serve
                spec:
                  replicas: 4
                  profile: base
                  pool: main
                  resources:
                    devices: 2
                    compute:
                      request: 20TFLOPS
                      limit: 40TFLOPS
                    memory:
                      request: 4GiB
                      limit: 8GiB
                  selector:
                    vendor: nvidia
                    models:
                    - A100
                    nodeLabels:
                      rack: "7"
                  isolation: shared
                  remote: never
                  qos: high
                  evictionProtection: 1h30m
                  gang:
                    minimum: 2
                    timeout: 5m
                  program:
                    command:
                    - python
                    - serve.py
                    - "--port"
                    - "8000"
                    environment:
                      MODE: fast

                """)
        let warned = conversion.warnings.map { String($0.message.prefix { $0 != ":" }) }
        #expect(
            warned == [
                "spec.template.metadata.annotations.tensor-fusion.ai/autoscale",
                "spec.template.spec.containers[0]", "spec.template.spec.containers[1].env[1]",
                "spec.template.spec.containers[1].image",
            ])
        #expect(conversion.warnings.first?.line == 31)
    }

    @Test("Pools, quotas and profiles become ours, in an order in which they can be applied")
    func objects() throws {
        let conversion = try convert("pool.yaml")
        let documents = try conversion.manifests.map { try ResourceDocument(manifest: $0) }
        #expect(documents.map(\.kind) == [.priceList, .project, .quota, .pool, .profile])
        let prices = try documents[0].resource(PriceListSpec.self).spec
        #expect(prices.perTeraflopHour == 0.002 && prices.perGiBHour == 0.01)
        #expect(prices.limitRatio == Percent(50) && prices.protectionRatio == Percent(120))
        let quota = try documents[2].resource(QuotaSpec.self).spec
        #expect(quota.project == "research" && quota.alertAt == Percent(90))
        #expect(quota.requests?.speed == .milliTeraflops(1_000_000) && quota.requests?.vgpus == 32)
        #expect(quota.limits?.speed == .milliTeraflops(2_000_000))
        #expect(quota.limits?.memory == MemoryQuantity(mebibytes: 320 << 10))
        #expect(quota.perWorkload?.devices == 8 && quota.perWorkload?.compute == .milliTeraflops(312_000))
        #expect(quota.defaults?.compute == Bounds(request: .milliTeraflops(10_000), limit: .milliTeraflops(20_000)))
        let pool = try documents[3].resource(PoolSpec.self).spec
        #expect(pool.isDefault == true && pool.oversell?.compute == Percent(500) && pool.remote == nil)
        #expect(pool.nodeSelector == ["gpu": "yes"] && pool.priceList == "main")
        let profile = try documents[4].resource(ProfileSpec.self).spec
        #expect(profile.resources?.memory == Bounds(MemoryQuantity(mebibytes: 1431)))
        #expect(profile.resources?.devices == 1 && profile.selector?.models == ["A100"])
        let fields = conversion.warnings.map { String($0.message.prefix { $0 != ":" }) }
        #expect(
            fields == [
                "spec.nodeManagerConfig.nodeSelector.nodeSelectorTerms[0].matchExpressions[1]",
                "spec.qosConfig.pricing", "spec.capacityConfig.oversubscription.vramExpandToHostMem",
                "spec.nodeManagerConfig.provisioningMode", "spec.isolation", "spec.autoScalingConfig", "kind",
            ])
    }

    @Test(
        "Each annotation becomes its field",
        arguments: [
            (["compute-percent-request": "30"], #"{"resources":{"compute":"30%"}}"#),
            (["compute-percent-limit": "60"], #"{"resources":{"compute":"60%"}}"#),
            (["tflops-limit": "1500m"], #"{"resources":{"compute":"1.5TFLOPS"}}"#),
            (["vram-limit": "1e9"], #"{"resources":{"memory":"954MiB"}}"#),
            (["isolation": "shared"], #"{"isolation":"exclusive"}"#),
            (
                ["dedicated-gpu": "true", "gpu-model": "H100", "tflops-limit": "9"],
                #"{"isolation":"exclusive","selector":{"models":["H100"]}}"#
            ),
            (["is-local-gpu": "false"], #"{"remote":"allowed"}"#),
            (["eviction-protection": "1.5h"], #"{"evictionProtection":"1h30m"}"#),
            (["gang-enabled": "true", "gang-timeout": "0", "gang-min-members": "0"], #"{"gang":{}}"#),
            (["require-gpu-topology": "true"], #"{"topology":{"level":"node","required":true}}"#),
            (["gpu-ids": "a,b"], "{}"),
        ] as [([String: String], String)])
    func annotations(_ annotations: [String: String], _ spec: String) throws {
        let conversion = pod(annotations)
        let made = try #require(conversion.manifests.first?["spec"])
        #expect(String(decoding: try made.encoded(), as: UTF8.self) == spec)
        #expect(conversion.warnings.isEmpty)
        _ = try ResourceDocument(manifest: conversion.manifests[0])
    }

    @Test(
        "What has no equivalent is left out with a warning",
        arguments: [
            "gpu-indices", "partition-id", "container-gpu-count", "sidecar-worker", "embedded-worker", "workload",
            "selected-workload", "worker-pod-template", "autoscale", "autoscale-target", "disable-features",
            "gpu-topology-max-tier", "gpu-topology-source", "no-such-key", "vram-limit", "tflops-request", "qos",
            "eviction-protection", "gpu-count",
        ])
    func warnings(_ key: String) {
        let conversion = pod([key: "strange"])
        #expect(conversion.warnings.count == 1)
        #expect(conversion.warnings.first?.message.contains("tensor-fusion.ai/\(key)") == true)
        #expect(conversion.manifests.first?["spec"] == [:])
    }

    @Test("Native GPU counts become whole devices, and a pod without the label is left out")
    func native() throws {
        let spec: JSONValue = ["containers": [["name": "c", "resources": ["limits": ["nvidia.com/gpu": "2"]]]]]
        let made = pod([:], spec: spec)
        #expect(made.manifests.first?["spec"]?["resources"] == ["devices": 2])
        #expect(made.manifests.first?["spec"]?["selector"] == ["vendor": "nvidia"])
        let other = pod([:], labels: ["enabled": "false"])
        #expect(other.manifests.isEmpty && other.warnings.count == 1)
    }
}
