// What names what: selectors and labels, ports, volumes, configuration, claims.
package main

import (
	"bufio"
	"bytes"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func bufioReader(text []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(text)) }

// A pod, or what makes pods.
type workload struct {
	name      string
	labels    map[string]string
	spec      corev1.PodSpec
	selector  *metav1.LabelSelector
	claims    []corev1.PersistentVolumeClaim
	governing string
}

func workloadsOf(objects []metav1.Object) []workload {
	var all []workload
	add := func(name string, template corev1.PodTemplateSpec, selector *metav1.LabelSelector) *workload {
		all = append(all, workload{name: name, labels: template.Labels, spec: template.Spec, selector: selector})
		return &all[len(all)-1]
	}
	for _, object := range objects {
		switch it := object.(type) {
		case *corev1.Pod:
			add("Pod "+it.Name, corev1.PodTemplateSpec{ObjectMeta: it.ObjectMeta, Spec: it.Spec}, nil)
		case *appsv1.Deployment:
			add("Deployment "+it.Name, it.Spec.Template, it.Spec.Selector)
		case *appsv1.DaemonSet:
			add("DaemonSet "+it.Name, it.Spec.Template, it.Spec.Selector)
		case *appsv1.StatefulSet:
			made := add("StatefulSet "+it.Name, it.Spec.Template, it.Spec.Selector)
			made.claims, made.governing = it.Spec.VolumeClaimTemplates, it.Spec.ServiceName
		case *batchv1.Job:
			add("Job "+it.Name, it.Spec.Template, nil)
		case *batchv1.CronJob:
			add("CronJob "+it.Name, it.Spec.JobTemplate.Spec.Template, nil)
		}
	}
	return all
}

func checkReferences(objects []metav1.Object) []string {
	names := map[string]bool{}
	for _, object := range objects {
		names[fmt.Sprintf("%T %s", object, object.GetName())] = true
	}
	workloads := workloadsOf(objects)
	var faults []string
	say := func(format string, values ...any) { faults = append(faults, fmt.Sprintf(format, values...)) }
	for _, one := range workloads {
		checkWorkload(one, names, say)
	}
	for _, object := range objects {
		switch it := object.(type) {
		case *corev1.Service:
			checkPorts("Service "+it.Name, it.Spec.Selector, workloads, servicePorts(it), say)
		case *networkingv1.NetworkPolicy:
			checkPorts("NetworkPolicy "+it.Name, it.Spec.PodSelector.MatchLabels, workloads, policyPorts(it), say)
		case *policyv1.PodDisruptionBudget:
			checkPorts("PodDisruptionBudget "+it.Name, it.Spec.Selector.MatchLabels, workloads, nil, say)
		case *autoscalingv2.HorizontalPodAutoscaler:
			target := it.Spec.ScaleTargetRef
			if !names[fmt.Sprintf("*v1.%s %s", target.Kind, target.Name)] {
				say("HorizontalPodAutoscaler %s scales %s %s, which is not here", it.Name, target.Kind, target.Name)
			}
		}
	}
	return faults
}

type complain func(format string, values ...any)

func checkWorkload(one workload, names map[string]bool, say complain) {
	if one.selector != nil {
		selector, err := metav1.LabelSelectorAsSelector(one.selector)
		if err != nil || selector.Empty() || !selector.Matches(labels.Set(one.labels)) {
			say("%s: its selector does not match the labels of its pods", one.name)
		}
	}
	if one.governing != "" && !names["*v1.Service "+one.governing] {
		say("%s: there is no Service %s", one.name, one.governing)
	}
	volumes := map[string]bool{}
	for _, claim := range one.claims {
		volumes[claim.Name] = true
	}
	for _, volume := range one.spec.Volumes {
		volumes[volume.Name] = true
		if source := volume.ConfigMap; source != nil && !names["*v1.ConfigMap "+source.Name] {
			say("%s: there is no ConfigMap %s", one.name, source.Name)
		}
	}
	for _, container := range append(one.spec.InitContainers, one.spec.Containers...) {
		checkContainer(one.name+", container "+container.Name, container, volumes, say)
	}
}

func checkContainer(name string, container corev1.Container, volumes map[string]bool, say complain) {
	for _, mount := range container.VolumeMounts {
		if !volumes[mount.Name] {
			say("%s: there is no volume %s", name, mount.Name)
		}
	}
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
		if probe != nil && probe.HTTPGet != nil && !hasPort(container, probe.HTTPGet.Port, corev1.ProtocolTCP) {
			say("%s: a probe asks port %s, which it has not", name, probe.HTTPGet.Port.String())
		}
	}
	if container.Resources.Requests.Memory().IsZero() || container.Resources.Limits.Memory().IsZero() {
		say("%s: no request or no limit of memory", name)
	}
	context := container.SecurityContext
	if context == nil || context.ReadOnlyRootFilesystem == nil || !*context.ReadOnlyRootFilesystem {
		say("%s: its root file system is not read-only", name)
	}
	if context == nil || context.AllowPrivilegeEscalation == nil || *context.AllowPrivilegeEscalation {
		say("%s: it may gain privileges", name)
	}
}

type portReference struct {
	port     intstr.IntOrString
	protocol corev1.Protocol
}

func servicePorts(service *corev1.Service) []portReference {
	var ports []portReference
	for _, port := range service.Spec.Ports {
		target := port.TargetPort
		if target == (intstr.IntOrString{}) {
			target = intstr.FromInt32(port.Port)
		}
		ports = append(ports, portReference{target, protocolOr(port.Protocol)})
	}
	return ports
}

// Those of the ingress: the egress names ports of others.
func policyPorts(policy *networkingv1.NetworkPolicy) []portReference {
	var ports []portReference
	for _, rule := range policy.Spec.Ingress {
		for _, port := range rule.Ports {
			protocol := corev1.ProtocolTCP
			if port.Protocol != nil {
				protocol = *port.Protocol
			}
			if port.Port != nil {
				ports = append(ports, portReference{*port.Port, protocol})
			}
		}
	}
	return ports
}

func protocolOr(protocol corev1.Protocol) corev1.Protocol {
	if protocol == "" {
		return corev1.ProtocolTCP
	}
	return protocol
}

// Some workload must have the labels, and each that has them the ports.
func checkPorts(name string, wanted map[string]string, workloads []workload, ports []portReference, say complain) {
	found := false
	for _, one := range workloads {
		if !labels.SelectorFromSet(wanted).Matches(labels.Set(one.labels)) {
			continue
		}
		found = true
		for _, port := range ports {
			if !anyHasPort(one.spec.Containers, port) {
				say("%s: %s has no port %s %s", name, one.name, port.port.String(), port.protocol)
			}
		}
	}
	if !found {
		say("%s: no pods have its labels", name)
	}
}

func anyHasPort(containers []corev1.Container, wanted portReference) bool {
	for _, container := range containers {
		if hasPort(container, wanted.port, wanted.protocol) {
			return true
		}
	}
	return false
}

func hasPort(container corev1.Container, wanted intstr.IntOrString, protocol corev1.Protocol) bool {
	for _, port := range container.Ports {
		isNamed := wanted.Type == intstr.String && port.Name == wanted.StrVal
		isNumbered := wanted.Type == intstr.Int && port.ContainerPort == wanted.IntVal
		if (isNamed || isNumbered) && protocolOr(port.Protocol) == protocol {
			return true
		}
	}
	return false
}
